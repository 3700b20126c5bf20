"""The Xero pages: a document with what is set against it, and an organisation's contacts, accounts, credits, batch payments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask, abort, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.console import bookkeeping, xero_side
from sandbox.console.board import Document, Reader
from sandbox.console.bookkeeping import ON_ACCOUNT, ON_CONTACT, ON_CREDIT, ON_DOCUMENT, OnDocument
from sandbox.demo.dynamics import Json
from sandbox.demo.story import today
from sandbox.demo.xero import Books

Done = Callable[[Callable[[], str], str], AnyResponse]
NEWEST = 5


def add(app: Flask, books: Mapping[str, Books], reader: Reader, done: Done) -> None:
    """Add the pages; *done* does what a form asks for and leads back with what was said."""

    def of(organisation: str) -> Books:
        if organisation not in books:
            abort(404)
        return books[organisation]

    def acted(actions: Mapping[str, OnDocument], organisation: str, action: str, id: object, back: str) -> AnyResponse:
        if action not in actions:
            abort(404)
        own = of(organisation)
        return done(lambda: actions[action](own, str(id), request.form), back)

    @app.get("/xero/<organisation>/<uuid:id>")
    def document(organisation: str, id: object) -> str | tuple[str, int]:
        state = of(organisation).state()
        body = next((found for found in state["invoice"] if found["InvoiceID"] == str(id)), None)
        if body is None:
            return render_template(
                "message.html", title="There is no such document", message=f"{organisation} has none of this id."
            ), 404
        contacts = {contact["ContactID"]: contact for contact in state["contact"]}
        shown = Document.of(organisation, body, _names(state), reader.invoices_of([str(id)]))
        return render_template(
            "document.html",
            document=shown,
            body=body,
            contact=contacts[body["Contact"]["ContactID"]],
            applied=xero_side.applied(state, str(id)),
            usable=xero_side.usable(state, body) if shown.can_pay else [],
            banks=[account for account in xero_side.accounts(state) if account.takes_payments],
        )

    @app.post("/xero/<organisation>/<uuid:id>/<action>")
    def act(organisation: str, id: object, action: str) -> AnyResponse:
        of(organisation)
        on_document = request.form.get("from") == "document"
        back = url_for("document", organisation=organisation, id=id) if on_document else url_for("board")
        return acted(ON_DOCUMENT, organisation, action, id, back)

    @app.get("/xero/<organisation>/new")
    def new_document(organisation: str) -> str:
        state = of(organisation).state()
        return render_template(
            "raise.html",
            organisation=organisation,
            contacts=[contact for contact in xero_side.contacts(state) if contact.status == "ACTIVE"],
            items=sorted(state["item"], key=lambda item: str(item["Code"])),
            accounts=[one for one in xero_side.accounts(state) if one.status == "ACTIVE" and one.type != "BANK"],
            rates=[rate for rate in state["tax rate"] if rate["Status"] == "ACTIVE"],
            currencies=state["currency"],
            today=today().isoformat(),
            lines=range(bookkeeping.LINES),
            newest=_documents(organisation, state)[:NEWEST],
        )

    @app.post("/xero/<organisation>/new")
    def raise_document(organisation: str) -> AnyResponse:
        own = of(organisation)
        return done(lambda: bookkeeping.raise_invoice(own, request.form), url_for("new_document", organisation=organisation))

    @app.get("/xero/<organisation>/batch")
    def batch(organisation: str) -> str:
        state = of(organisation).state()
        return render_template(
            "batch.html",
            organisation=organisation,
            owed=[one for one in _documents(organisation, state) if one.can_pay],
            batches=xero_side.batches(state),
            banks=[account for account in xero_side.accounts(state) if account.takes_payments],
            today=today().isoformat(),
        )

    @app.post("/xero/<organisation>/batch")
    def pay_batch(organisation: str) -> AnyResponse:
        own = of(organisation)
        return done(lambda: bookkeeping.pay_batch(own, request.form), url_for("batch", organisation=organisation))

    @app.post("/xero/<organisation>/batch/take-back")
    def take_batch_back(organisation: str) -> AnyResponse:
        own = of(organisation)
        return done(lambda: bookkeeping.take_batch_back(own, "", request.form), url_for("batch", organisation=organisation))

    @app.get("/xero/<organisation>/credits")
    def credits(organisation: str) -> str:
        return render_template("credits.html", organisation=organisation, credits=xero_side.credits(of(organisation).state()))

    @app.post("/xero/<organisation>/credits/<uuid:id>/<action>")
    def act_on_credit(organisation: str, id: object, action: str) -> AnyResponse:
        return acted(ON_CREDIT, organisation, action, id, url_for("credits", organisation=organisation))

    @app.get("/xero/<organisation>/contacts")
    def contacts(organisation: str) -> str:
        found = xero_side.contacts(of(organisation).state())
        return render_template("contacts.html", organisation=organisation, contacts=found)

    @app.post("/xero/<organisation>/contacts/merge")
    def merge_contacts(organisation: str) -> AnyResponse:
        own = of(organisation)
        return done(lambda: bookkeeping.merge_contacts(own, request.form), url_for("contacts", organisation=organisation))

    @app.post("/xero/<organisation>/contacts/<uuid:id>/<action>")
    def act_on_contact(organisation: str, id: object, action: str) -> AnyResponse:
        return acted(ON_CONTACT, organisation, action, id, url_for("contacts", organisation=organisation))

    @app.get("/xero/<organisation>/accounts")
    def accounts(organisation: str) -> str:
        found = xero_side.accounts(of(organisation).state())
        return render_template("accounts.html", organisation=organisation, accounts=found)

    @app.post("/xero/<organisation>/accounts/<uuid:id>/<action>")
    def act_on_account(organisation: str, id: object, action: str) -> AnyResponse:
        return acted(ON_ACCOUNT, organisation, action, id, url_for("accounts", organisation=organisation))


def _names(state: Json) -> dict[str, str]:
    return {contact["ContactID"]: contact["Name"] for contact in state["contact"]}


def _documents(organisation: str, state: Json) -> list[Document]:
    """Return the invoices and bills, those changed last before the others."""
    newest_first = sorted(state["invoice"], key=lambda body: str(body.get("UpdatedDateUTC", "")), reverse=True)
    return [Document.of(organisation, body, _names(state)) for body in newest_first]
