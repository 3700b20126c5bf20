"""One accounting call, as the endpoints see it: who asks, about which organisation, with what body and query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from flask import request

from . import payload, where, wire
from .errors import Invalid, PostDataInvalid
from .sandbox import Sandbox
from .store import Document, Store

TIME_ZONES = {"NEWZEALANDSTANDARDTIME": "Pacific/Auckland", "GMTSTANDARDTIME": "Europe/London"}
PAGE_SIZE, LARGEST_PAGE = 100, 1000
# A stored document points at another by id alone; these are the kinds behind the property names.
REFERENCES = {
    "Contact": ("contact", "ContactID"),
    "Invoice": ("invoice", "InvoiceID"),
    "CreditNote": ("credit note", "CreditNoteID"),
    "Overpayment": ("overpayment", "OverpaymentID"),
    "Prepayment": ("prepayment", "PrepaymentID"),
    "BatchPayment": ("batch payment", "BatchPaymentID"),
    "Account": ("account", "AccountID"),
    "BankAccount": ("account", "AccountID"),
}


@dataclass(frozen=True)
class Refused:
    """A 400 with the elements that failed validation."""

    elements: list[Document]


@dataclass(frozen=True)
class Bare:
    """An answer without Xero's envelope."""

    payload: Document


@dataclass
class Call:
    """An authenticated call on one organisation, inside one transaction of the store."""

    sandbox: Sandbox
    tenant: str
    app: str

    @property
    def store(self) -> Store:
        """The documents."""
        return self.sandbox.store

    @cached_property
    def organisation(self) -> Document:
        """The organisation's own document."""
        found = self.store.get("", "organisation", self.tenant)
        assert found is not None, "the gate lets only connected organisations through"
        return found

    @property
    def strict(self) -> bool:
        """Whether unknown field names are refused (`?strict=False` or the header Sandbox-Strict switch it off)."""
        asked = request.args.get("strict") or request.headers.get("Sandbox-Strict")
        return self.sandbox.strict if asked is None else asked.lower() != "false"

    @property
    def places(self) -> int:
        """Decimal places of unit prices: 4 with `unitdp=4`, else 2."""
        return 4 if request.args.get("unitdp") == "4" else 2

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a boolean of the query, in any case."""
        return request.args.get(name, str(default)).lower() == "true"

    def names(self, name: str) -> list[str]:
        """Read a comma separated list of the query."""
        return [part.strip() for part in request.args.get(name, "").split(",") if part.strip()]

    def today(self) -> date:
        """Return the date in the organisation's own time zone."""
        return self.sandbox.clock.now().astimezone(ZoneInfo(TIME_ZONES[self.organisation["Timezone"]])).date()

    def elements(self, name: str, model: str) -> list[dict[str, Any]]:
        """Return the checked elements of the body; raises PostDataInvalid, NoDataProcessed."""
        try:
            body = wire.loads(request.get_data())
        except ValueError as problem:
            raise PostDataInvalid("JSON for post data was invalid, could not parse JSON") from problem
        return payload.elements(body, name, model, strict=self.strict)

    def document(self, kind: str, id: str) -> Document | None:
        """Return a document of this organisation by id."""
        return self.store.get(self.tenant, kind, id)

    def read(self, row: Document, path: list[str]) -> Any:
        """Return the value at a path, following references to other documents."""
        value: Any = row
        for name in path:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
            if name in REFERENCES and isinstance(value, dict):
                kind, id_name = REFERENCES[name]
                value = self.document(kind, value[id_name])
        return value

    def selected(self, rows: list[Document], model: str, *, modified_since: bool = True, order: str = "") -> list[Document]:
        """Apply If-Modified-Since, `where` and `order` of the request; raises QueryInvalid."""
        since = where.modified_since(request.headers.get("If-Modified-Since", "")) if modified_since else None
        if since:
            # Whole seconds: whether the vendor includes the very second is not documented, so include it.
            rows = [row for row in rows if row["UpdatedDateUTC"] >= since.isoformat()]
        if text := request.args.get("where"):
            test = where.where(text, model, self.read)
            rows = [row for row in rows if test(row)]
        return where.ordered(rows, request.args.get("order") or order, model, self.read)

    def page(self, rows: list[Document], *, force: bool = False) -> tuple[list[Document], dict[str, Any]]:
        """Cut out the page asked for; returns it with `{"pagination": {…}}`, or everything with {} when none was asked."""
        if not force and not {"page", "pageSize"} & set(request.args):
            return rows, {}
        size = min(max(_whole(request.args.get("pageSize"), PAGE_SIZE), 1), LARGEST_PAGE)
        number = max(_whole(request.args.get("page"), 1), 1)
        pagination = {"page": number, "pageSize": size, "pageCount": -(-len(rows) // size), "itemCount": len(rows)}
        return rows[(number - 1) * size : number * size], {"pagination": pagination}

    def write_each(
        self,
        name: str,
        rows: list[dict[str, Any]],
        write: Callable[[dict[str, Any]], Document],
        echo: Callable[[Mapping[str, Any], Invalid], Document],
    ) -> dict[str, Any] | Refused:
        """Write every element on its own; what is valid stays written although another element failed.

        `summarizeErrors` (default true): any failure makes the answer a 400 with the failed elements. False: 200, every
        element with its StatusAttributeString, a failed one echoing what was *asked for*.
        """
        summarise = self.flag("summarizeErrors", default=True)
        answers, failed = [], []
        for row in rows:
            try:
                with self.store.transaction():
                    answer = write(row)
                    status = "WARNING" if answer.get("Warnings") else "OK"
            except Invalid as problem:
                answer, status = echo(row, problem), "ERROR"
                failed.append(answer)
            answers.append(answer if summarise else {**answer, "StatusAttributeString": status})
        return Refused(failed) if failed and summarise else {name: answers}


def _whole(text: str | None, default: int) -> int:
    try:
        return int(text or default)
    except ValueError:
        return default
