"""Xero through the eyes of a bookkeeper: reads documents and approves, pays or voids them by the Accounting API.

What the API has no word for, or only with more calls than a click is worth, is done by the stand-in's own switches (`Books.book`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import simplejson

from sandbox.demo.browser import TIMEOUT

Json = dict[str, Any]

NZ, UK = "Demo Company (NZ)", "Demo Company (UK)"
BOOKKEEPERS = {NZ: "sandbox-bookkeeper-nz", UK: "sandbox-bookkeeper-uk"}
SECRET = "sandbox-bookkeeper-secret"
BANK = "090"


class Refused(Exception):
    """Xero refused a request; the message is its own."""


class Books:
    """The books of one organisation, used by its bookkeeper through an app of their own (never the connector's)."""

    def __init__(self, url: str, organisation: str) -> None:
        self.organisation = organisation
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"
        self._lock = threading.Lock()

    def invoice(self, invoice_id: str) -> Json:
        """Return an invoice or bill with its lines."""
        found: Json = self._ask("GET", f"Invoices/{invoice_id}")["Invoices"][0]
        return found

    def invoices(self) -> Iterator[Json]:
        """Yield every invoice and bill, whatever its status."""
        yield from self._paged("Invoices")

    def contacts(self) -> Iterator[Json]:
        """Yield every contact, archived ones too."""
        yield from self._paged("Contacts", includeArchived="true")

    def approve(self, invoice_id: str) -> None:
        """Approve a draft; one without a due date gets the day it is dated."""
        invoice = self.invoice(invoice_id)
        due = invoice.get("DueDateString") or invoice["DateString"]
        self._ask("POST", f"Invoices/{invoice_id}", {"InvoiceID": invoice_id, "Status": "AUTHORISED", "DueDate": due[:10]})

    def pay(self, invoice_id: str) -> None:
        """Pay what is due, into or from the bank account."""
        due = self.invoice(invoice_id)["AmountDue"]
        self._ask("PUT", "Payments", {"Invoice": {"InvoiceID": invoice_id}, "Account": {"Code": BANK}, "Amount": due})

    def void(self, invoice_id: str) -> None:
        """Void an approved document, delete a draft."""
        status = "DELETED" if self.invoice(invoice_id)["Status"] in ("DRAFT", "SUBMITTED") else "VOIDED"
        self._ask("POST", f"Invoices/{invoice_id}", {"InvoiceID": invoice_id, "Status": status})

    def rename(self, contact_id: str, name: str) -> None:
        """Give a contact another name."""
        self._ask("POST", f"Contacts/{contact_id}", {"ContactID": contact_id, "Name": name})

    def book(self, action: str, **asked: Any) -> Json:
        """Do what is done in Xero's own screens (sandbox/xero/bookkeeper.py: pay, credit_note, allocate, merge …).

        Returns the document as it then is stored; raises Refused with Xero's sentences. Costs no call of anybody's limit.
        """
        text = simplejson.dumps({"organisation": self.organisation, **asked}, use_decimal=True)
        headers = {"Content-Type": "application/json"}
        with self._lock:
            response = self._session.post(f"{self._url}/sandbox/books/{action}", data=text, headers=headers, timeout=TIMEOUT)
        if not response.ok:
            raise Refused(_why(response))
        done: Json = simplejson.loads(response.content, use_decimal=True)
        return done

    def state(self) -> Json:
        """Return everything the stand-in holds of the organisation, by kind: costs no call of anybody's limit."""
        response = self._session.get(f"{self._url}/sandbox/state", params={"organisation": self.organisation}, timeout=TIMEOUT)
        found: Json = simplejson.loads(response.content, use_decimal=True)
        return found

    def _paged(self, resource: str, **options: str) -> Iterator[Json]:
        page = 1
        while True:
            found = self._ask("GET", resource, query={"page": str(page), "pageSize": "100", **options})[resource]
            yield from found
            if len(found) < 100:
                return
            page += 1

    def _ask(self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None) -> Json:
        url = f"{self._url}/api.xro/2.0/{path}"
        text = None if body is None else simplejson.dumps(body, use_decimal=True)
        with self._lock:
            for _ in range(2):
                if "Authorization" not in self._session.headers:
                    self._sign_in()
                headers = {"Content-Type": "application/json"}
                response = self._session.request(method, url, data=text, params=query, headers=headers, timeout=TIMEOUT)
                if response.status_code != 401:
                    break
                del self._session.headers["Authorization"]  # half an hour has passed
        if not response.ok:
            raise Refused(_why(response))
        answer: Json = simplejson.loads(response.content, use_decimal=True)
        return answer

    def _sign_in(self) -> None:
        form = {"grant_type": "client_credentials"}
        response = self._session.post(
            f"{self._url}/connect/token", data=form, auth=(BOOKKEEPERS[self.organisation], SECRET), timeout=TIMEOUT
        )
        response.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def _why(response: requests.Response) -> str:
    """Return Xero's own sentences about a refusal."""
    try:
        answer = response.json()
    except ValueError:
        return f"Xero answered {response.status_code}."
    said = [error["Message"] for element in answer.get("Elements", ()) for error in element.get("ValidationErrors", ())]
    told = answer.get("Message") or answer.get("Detail") or answer.get("error")
    return " ".join(said) or str(told or f"Xero answered {response.status_code}.")
