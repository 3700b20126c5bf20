"""What a person typed into a form, read and checked."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

from werkzeug.datastructures import ImmutableMultiDict

Form = ImmutableMultiDict[str, str]


class Wrong(Exception):
    """A form was filled in so that nothing can be done with it; the message is one sentence for the person."""


def number(text: str, what: str) -> Decimal:
    """Return a number a person typed, thousands apart or not; raises Wrong."""
    try:
        value = Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Wrong(f"The {what} is not a number.")
    return value


def amount(form: Form, name: str = "amount") -> Decimal | None:
    """Return an amount that may be left empty (None: all of it); raises Wrong."""
    text = form.get(name, "").strip()
    return number(text, "amount") if text else None


def needed_amount(form: Form, name: str = "amount") -> Decimal:
    """Return an amount that must be there; raises Wrong."""
    value = amount(form, name)
    if value is None:
        raise Wrong("Type an amount.")
    return value


def day(form: Form, name: str) -> str:
    """Return a day as yyyy-mm-dd, or "" for none; raises Wrong."""
    text = form.get(name, "").strip()
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise Wrong("Type a date as yyyy-mm-dd.") from None


def text(form: Form, name: str, what: str) -> str:
    """Return a text that must be there; raises Wrong."""
    value = form.get(name, "").strip()
    if not value:
        raise Wrong(f"Type {what}.")
    return value


def chosen(form: Form, name: str, what: str) -> str:
    """Return what was chosen from a list; raises Wrong."""
    value = form.get(name, "").strip()
    if not value:
        raise Wrong(f"Choose {what}.")
    return value
