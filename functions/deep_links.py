"""Addresses of documents in Xero, opened in the right organisation (Xero's deep-link guide)."""

from __future__ import annotations

from shared.connectors import Connector


def invoice(connector: Connector, document_type: str, xero_id: str) -> str:
    """Return the address of an invoice (ACCREC) or bill (ACCPAY)."""
    page = "AccountsPayable/View.aspx" if document_type == "ACCPAY" else "AccountsReceivable/View.aspx"
    return _page(connector, f"{page}?InvoiceID={xero_id}")


def contact(connector: Connector, xero_id: str) -> str:
    """Return the address of a contact."""
    return _page(connector, f"Contacts/View/{xero_id}")


def _page(connector: Connector, path: str) -> str:
    short_code = connector.short_code.replace("!", "%21")
    return f"https://go.xero.com/organisationlogin/default.aspx?shortcode={short_code}&redirecturl=/{path}"
