"""Sign in as someone who may customize an environment: a person by device code, or an application by its secret.

Source: Microsoft Learn, "Acquire tokens with MSAL for Python"; "OAuth 2.0 device authorization grant".
"""

from collections.abc import Callable, Mapping
from typing import Any

from solution.install.problem import Problem

AUTHORITY = "https://login.microsoftonline.com"
ANY_TENANT = "organizations"
# Microsoft's sample application for developers (learn.microsoft.com, "Use OAuth authentication with Microsoft Dataverse"):
# good for a first look. A tenant that does not allow it names its own application with INSTALL_CLIENT_ID.
SAMPLE_APPLICATION = "51f81489-12ee-4a9e-aaae-a2591f45987d"


def signed_in(environment: str, settings: Mapping[str, str], say: Callable[[str], None]) -> Callable[[], str]:
    """Return what gives access tokens for the environment.

    `settings` are environment variables: INSTALL_ACCESS_TOKEN (a token from elsewhere), or INSTALL_CLIENT_ID with
    INSTALL_CLIENT_SECRET (an application), or neither: a person signs in with a code. DATAVERSE_TENANT_ID and
    DATAVERSE_AUTHORITY_URL say where. Raises Problem when sign-in fails.
    """
    if token := settings.get("INSTALL_ACCESS_TOKEN"):
        return lambda: token
    import msal  # a command of its own pays for it, not whoever imports this module

    tenant = settings.get("DATAVERSE_TENANT_ID") or ANY_TENANT
    authority = f"{(settings.get('DATAVERSE_AUTHORITY_URL') or AUTHORITY).rstrip('/')}/{tenant}"
    client_id = settings.get("INSTALL_CLIENT_ID") or SAMPLE_APPLICATION
    scopes = [f"{environment}/.default"]
    if secret := settings.get("INSTALL_CLIENT_SECRET"):
        application = msal.ConfidentialClientApplication(
            client_id, authority=authority, client_credential=secret, instance_discovery=False
        )
        return lambda: _token(application.acquire_token_for_client(scopes))
    public = msal.PublicClientApplication(client_id, authority=authority, instance_discovery=False)
    flow = public.initiate_device_flow([f"{environment}/user_impersonation"])
    if "user_code" not in flow:
        raise _refused(flow)
    say(str(flow["message"]))
    _token(public.acquire_token_by_device_flow(flow))
    return lambda: _token(public.acquire_token_silent([f"{environment}/user_impersonation"], public.get_accounts()[0]))


def _token(answer: Mapping[str, Any] | None) -> str:
    if not answer or "access_token" not in answer:
        raise _refused(answer or {})
    return str(answer["access_token"])


def _refused(answer: Mapping[str, Any]) -> Problem:
    reason = str(answer.get("error_description") or answer.get("error") or "Entra ID gave no token.").splitlines()[0]
    return Problem(
        f"Sign-in failed: {reason}", "Sign in with an account of the environment's tenant, or see INSTALL_CLIENT_ID in --help."
    )
