"""The HTTP face of a Directory."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, render_template_string, request
from werkzeug.wrappers import Response as AnyResponse

from .directory import Denied, Directory

CONSENT = """<!doctype html><title>Sign in</title><h1>{{ application.name }} asks to sign in</h1>
<form method="post">{% for person in people %}
<p><button name="person" value="{{ person.object_id }}">Continue as {{ person.name }} ({{ person.username }})</button></p>{% endfor %}
<p><button name="person" value="">Cancel</button></p></form>"""

DEVICE = """<!doctype html><title>Enter code</title><form method="post"><label>Code <input name="code" required></label>
{% for person in people %}<p><button name="person" value="{{ person.object_id }}">Continue as {{ person.name }}</button></p>{% endfor %}
<p><button name="person" value="">Cancel</button></p></form>"""

FORM_POST = """<!doctype html><title>Working…</title><form method="post" action="{{ redirect }}">
{% for name, value in answer.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script>"""


def blueprint(directory: Directory) -> Blueprint:
    """Return the routes of one directory: discovery, tokens, sign-in, and App Service's managed identity."""
    routes = Blueprint("entra", __name__)

    @routes.errorhandler(Denied)
    def denied(error: Denied) -> tuple[Response, int]:
        return jsonify(error=error.error, error_description=str(error), error_codes=[error.code]), error.status

    @routes.get("/common/discovery/instance")
    def instance() -> dict[str, Any]:
        host = directory.authority.partition("://")[2]
        return {
            "tenant_discovery_endpoint": f"{directory.authority}/{directory.tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }

    @routes.get("/<tenant>/v2.0/.well-known/openid-configuration")
    def configuration(tenant: str) -> dict[str, Any]:
        return directory.configuration(tenant)

    @routes.get("/<tenant>/discovery/v2.0/keys")
    def keys(tenant: str) -> dict[str, Any]:
        return directory.jwks()

    @routes.post("/<tenant>/oauth2/v2.0/token")
    def token(tenant: str) -> Response:
        answer = jsonify(directory.token(tenant, request.form.to_dict()))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @routes.post("/<tenant>/oauth2/v2.0/devicecode")
    def device(tenant: str) -> dict[str, Any]:
        return directory.device(request.form.to_dict())

    @routes.get("/common/oauth2/deviceauth")
    def device_page() -> str:
        return render_template_string(DEVICE, people=directory.people.values())

    @routes.post("/common/oauth2/deviceauth")
    def decide_device() -> tuple[str, int]:
        person = directory.people.get(request.form.get("person", ""))
        if directory.answer_device(request.form.get("code", ""), person):
            return ("You have signed in. You may close this window." if person else "You declined."), 200
        return "That code didn't work. Check the code and try again.", 400

    @routes.get("/<tenant>/oauth2/v2.0/authorize")
    def consent(tenant: str) -> str:
        application = directory.application(request.args.get("client_id", ""))
        directory.check_redirect(application, request.args.get("redirect_uri", ""))
        return render_template_string(CONSENT, application=application, people=directory.people.values())

    @routes.post("/<tenant>/oauth2/v2.0/authorize")
    def decide(tenant: str) -> AnyResponse:
        query = request.args.to_dict()
        person = directory.people.get(request.form.get("person", ""))
        answer = {"state": query.get("state", "")}
        directory.check_redirect(directory.application(query.get("client_id", "")), query.get("redirect_uri", ""))
        if person is None:
            answer |= {"error": "access_denied", "error_description": "AADSTS65004: User declined to consent to access the app."}
        else:
            answer |= {"code": directory.authorize(query, person), "session_state": "sandbox"}
        if query.get("response_mode") == "form_post":
            return Response(render_template_string(FORM_POST, redirect=query["redirect_uri"], answer=answer))
        return redirect(f"{query['redirect_uri']}?{urlencode(answer)}")

    @routes.get("/msi/token")
    def managed_identity() -> dict[str, Any]:
        resource, client_id = request.args.get("resource", ""), request.args.get("client_id", "")
        return directory.managed_identity_token(request.headers.get("X-IDENTITY-HEADER", ""), resource, client_id)

    return routes
