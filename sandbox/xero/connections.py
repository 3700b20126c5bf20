"""A connection: one organisation that one user opened to one app (developer.xero.com guides/oauth2/tenants)."""

import uuid
from datetime import datetime

from .store import Document


def connection_of(user: str, app: str, organisation: Document, event: str, now: datetime) -> Document:
    """Return a connection as GET /connections shows it (seven fractional digits, no Z), with its owner."""
    moment = f"{now:%Y-%m-%dT%H:%M:%S.%f}0"
    return {
        "id": str(uuid.uuid4()),
        "authEventId": event,
        "tenantId": organisation["OrganisationID"],
        "tenantType": "ORGANISATION",
        "tenantName": organisation["Name"],
        "createdDateUtc": moment,
        "updatedDateUtc": moment,
        "user": user,
        "app": app,
    }
