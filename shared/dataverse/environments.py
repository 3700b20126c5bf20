"""The guard for the address of an environment that a person types: our token goes to Dataverse and nobody else (reliability 5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from shared.errors import ConfigurationError

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_ENVIRONMENT = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(:(?P<port>[1-9][0-9]{0,4}))?/?")
_API_ALIAS = re.compile(r"^([a-z0-9-]+)\.api\.(crm[0-9]*\.)")


def environment_host(text: str, allowed: Sequence[str]) -> str:
    """Return the host of the environment a person typed as ``https://org.crm4.dynamics.com``, with its port if not 443.

    Anything else is refused with a ConfigurationError: our token must reach Dataverse and nobody else. *allowed* are the
    patterns of DATAVERSE_ALLOWED_HOSTS; ``*.`` stands for one label or more, and a port must be named there to be used. The
    environment's API alias (org.api.crm4…) is written the usual way, so that one environment never is two.
    """
    typed = _ENVIRONMENT.fullmatch(text.strip(" "))
    if not typed:
        raise ConfigurationError("Type the address of the environment as https://yourcompany.crm.dynamics.com, without a path.")
    host, port = typed["host"].lower(), int(typed["port"] or 443)
    if not _HOST.fullmatch(host) or len(host) > 253 or _is_ip_address(host):
        raise ConfigurationError("The address of the environment names no valid host.")
    host = _API_ALIAS.sub(r"\1.\2", host)
    if not any(_allows(pattern, host, port) for pattern in allowed):
        raise ConfigurationError("The address is not a Dataverse environment this app may speak to (DATAVERSE_ALLOWED_HOSTS).")
    return host if port == 443 else f"{host}:{port}"


def _allows(pattern: str, host: str, port: int) -> bool:
    name, _, named_port = pattern.partition(":")
    if port != int(named_port or 443):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host == name


def _is_ip_address(host: str) -> bool:
    """Recognise an IP address in any spelling a resolver would take: dotted, short, decimal, hexadecimal, octal."""
    last = host.rpartition(".")[2]
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
