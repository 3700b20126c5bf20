"""What a deployment needs beside Bicep. The Azure Developer CLI runs these as hooks (azure.yaml); by hand they are the same.

    python scripts/deployment.py prepare     before: an app registration for the portal, and a fresh key for the stored tokens
    python scripts/deployment.py register    after the resources: redirect URI and federated credential of that registration
    python scripts/deployment.py verify      after the code: print what to paste where, and wait until /health says ok

Values come from the environment, where azd puts them. Without azd, give the deployment's outputs:

    az deployment group show -g GROUP -n main --query properties.outputs > outputs.json
    python scripts/deployment.py verify --outputs outputs.json

Needs Python 3.11 and, for the first two, the Azure CLI, signed in as somebody who may register applications.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROLE = "Connector.Administrator"
ROLE_ID = "6f0b6a1c-0d0b-5b0e-9a3b-3c1f1c6f7a10"
KEY = "TOKEN_ENCRYPTION_KEYS"
CREDENTIAL = "function-app"
NEEDED = ("XERO_CLIENT_ID",)


class DeploymentError(Exception):
    """Something only the person at the keyboard can put right; the message is one sentence."""


def main(arguments: list[str]) -> int:
    """Run one step; 1 and a sentence when it cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("prepare", "register", "verify"))
    parser.add_argument("--outputs", type=Path, help="the deployment's outputs as JSON, instead of azd's environment")
    parser.add_argument("--wait", type=float, default=600, help="seconds to wait for /health (default: 600)")
    given = parser.parse_args(arguments)
    values = dict(os.environ)
    try:
        if given.outputs:
            values |= {name: str(output["value"]) for name, output in json.loads(given.outputs.read_text()).items()}
        if given.step == "prepare":
            prepare(values)
        elif given.step == "register":
            register(values)
        else:
            verify(values, given.wait)
    except DeploymentError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def prepare(values: Mapping[str, str]) -> None:
    """See that every value the deployment needs is there, and remember new ones in azd's environment."""
    missing = [name for name in NEEDED if not values.get(name)]
    if missing:
        raise DeploymentError(f"Set {missing[0]} first: azd env set {missing[0]} … (docs/deploy.md, step 3).")
    if not values.get("PORTAL_CLIENT_ID"):
        name = f"Dynamics and Xero ({values.get('AZURE_ENV_NAME', 'prod')})"
        role = {
            "allowedMemberTypes": ["User"],
            "description": "May connect organisations and redrive records.",
            "displayName": "Connector administrator",
            "id": ROLE_ID,
            "isEnabled": True,
            "value": ROLE,
        }
        made = ("--enable-id-token-issuance", "true", "--app-roles", json.dumps([role]))
        client = az("ad", "app", "create", "--display-name", name, "--sign-in-audience", "AzureADMyOrg", *made)["appId"]
        az("ad", "sp", "create", "--id", client)
        remember("PORTAL_CLIENT_ID", client)
        print(f"Registered the portal in Entra ID as {name!r} ({client}).")
    if not values.get(KEY):
        if not _has_azd():
            raise DeploymentError(f"Set {KEY} first, to 32 random bytes in base64: openssl rand -base64 32")
        remember(KEY, base64.b64encode(secrets.token_bytes(32)).decode())
        print("Made a key for the stored tokens; it is used only if the key vault has none.")


def register(values: Mapping[str, str]) -> None:
    """Tell Entra ID the portal's address and that the managed identity speaks for it; forget the key."""
    if _has_azd():
        remember(KEY, "")  # the vault has it now
    client, uri = _value(values, "PORTAL_CLIENT_ID"), _value(values, "PORTAL_REDIRECT_URI")
    subject = _value(values, "IDENTITY_PRINCIPAL_ID")
    app = az("ad", "app", "show", "--id", client)
    known = app.get("web", {}).get("redirectUris", [])
    if uri not in known:
        az("ad", "app", "update", "--id", client, "--web-redirect-uris", *known, uri)
        print(f"Registered the redirect URI {uri}.")
    trusted = az("ad", "app", "federated-credential", "list", "--id", client)
    if subject not in [credential["subject"] for credential in trusted]:
        tenant = az("account", "show")["tenantId"]
        credential = {
            "name": f"{CREDENTIAL}-{subject[:8]}",
            "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
            "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        }
        az("ad", "app", "federated-credential", "create", "--id", client, "--parameters", json.dumps(credential))
        print("The function app's identity now speaks for the portal: no secret is needed.")


def verify(values: Mapping[str, str], wait: float) -> None:
    """Print what is left for a person to do, then wait until the app says that it is well."""
    url = _value(values, "PUBLIC_URL").rstrip("/")
    print(
        f"""
At developer.xero.com, in your app's Configuration:
    Redirect URI           {_value(values, "XERO_REDIRECT_URI")}
    Webhooks, Delivery URL {_value(values, "XERO_WEBHOOK_URL")}
In the Power Platform admin centre, in each environment:
    Application user       {_value(values, "DATAVERSE_APPLICATION_ID")}   with the connector's service role
Then open
    {_value(values, "PORTAL_URL")}
"""
    )
    until, said = time.monotonic() + wait, ""
    while True:
        status, told = _health(url)
        if told.get("status", f"HTTP {status}") != said:
            said = told.get("status", f"HTTP {status}")
            print(f"{url}/health: {said}", flush=True)
        if status == 200 or time.monotonic() >= until:
            break
        time.sleep(min(5, max(0.05, wait / 20)))
    for check in told.get("checks", []):
        print(f"    {check['name']:<10} {check['state']:<8} {check['detail']}")
    if status != 200:
        raise DeploymentError(f"The app is not well after {wait:.0f} s: {said}. docs/deploy.md has a list of causes.")


def az(*arguments: str) -> Any:
    """Run the Azure CLI and return what it says as JSON."""
    return json.loads(_run("az", *arguments, "--output", "json") or "null")


def remember(name: str, value: str) -> None:
    """Keep a value in azd's environment, or tell the person to."""
    if _has_azd():
        _run("azd", "env", "set", name, value)
    else:
        print(f"Set it for the next step: {name}={value}")


def _has_azd() -> bool:
    return bool(os.environ.get("AZURE_ENV_NAME") and shutil.which("azd"))


def _run(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise DeploymentError(f"The program {program} is not installed: docs/deploy.md says what is needed.")
    done = subprocess.run([found, *arguments], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeploymentError(f"{program} {' '.join(arguments[:3])} failed: {reason}")
    return done.stdout


def _health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.loads(error.read())
        except ValueError:
            return error.code, {}
    except (OSError, ValueError) as error:
        return 0, {"status": f"no answer ({type(error).__name__})"}


def _value(values: Mapping[str, str], name: str) -> str:
    if not values.get(name):
        raise DeploymentError(f"{name} is not known: run this as a hook of azd, or give --outputs.")
    return values[name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
