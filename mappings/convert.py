"""How values are written. A converter writes or refuses; it never cuts, guesses or rounds in silence.

Limits are Xero's (developer.xero.com, Invoices, Contacts and Items); the cuts that are allowed say so in a warning.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import date as calendar_date
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mappings.table import At, Converter, Refused

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|[\ud800-\udfff]")
EMAIL = re.compile(r"[\x21-\x7e]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]{2,}")
CURRENCY = re.compile(r"[A-Z]{3}")


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(value: Any) -> Decimal:
    """Return *value* (Decimal or int) as a Decimal; refuse what is no number, and what a JSON number cannot carry exactly.

    Xero's SDK writes numbers through a float: a Decimal is exact only if the float's shortest form says the same (SPEC 4).
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise Refused(f"{value!r} is not a number.", "Correct the number.")
    exact = Decimal(value)
    if not exact.is_finite() or Decimal(repr(float(exact))) != exact:
        raise Refused(f"{value} has more digits than can be sent exactly.", "Correct the number.")
    return exact


def plain(value: Decimal) -> Decimal:
    """Return *value* without needless zeros and without an exponent."""
    whole = value.to_integral_value()
    return whole.quantize(Decimal(1)) if value == whole else value.normalize()


def places(value: Decimal) -> int:
    """Return how many places after the point *value* needs."""
    exponent = value.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def decimal(limit: int) -> Converter:
    """Write a number with at most *limit* places after the point."""

    def write(value: Any, at: At) -> Decimal:
        exact = number(value)
        if places(exact) > limit:
            raise Refused(f"{plain(exact)} has more than {limit} decimal places.", f"Use at most {limit} decimal places.")
        return plain(exact)

    return Converter(f"number, {limit} decimals at most", write)


money = decimal(2)
unit_amount = decimal(4)
quantity = decimal(4)


def rate(value: Any, at: At) -> Decimal:
    """Write a percentage."""
    return plain(number(value))


percentage = Converter("per cent", rate)


# ── dates ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _date(value: Any, at: At) -> str:
    try:
        return calendar_date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Refused(f"{value!r} is not a date.", "Correct the date.") from None


date = Converter("date, yyyy-mm-dd", _date)


def day_of(value: str, zone: ZoneInfo) -> calendar_date:
    """Return the day of an instant in *zone*; a plain date (a column changed to Date Only) is the day itself.

    Raises ValueError for anything else, an instant without a time zone included.
    """
    if len(value) == len("2026-11-21"):
        return calendar_date.fromisoformat(value)
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("The moment does not say its time zone.")
    return moment.astimezone(zone).date()


def local_date(zone_setting: str) -> Converter:
    """Write the day of an instant in the connector's time zone: Dynamics 365 keeps Date Delivered as a moment, midnight of its user."""

    def write(value: Any, at: At) -> str:
        name = at.setting(zone_setting) or "Etc/UTC"
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise Refused(
                f"The time zone {name!r} of the connector is unknown.",
                "Enter an IANA name such as Europe/London.",
                "administrator",
            ) from None
        try:
            return day_of(value, zone).isoformat()
        except (TypeError, ValueError):
            raise Refused(f"{value!r} is not a moment.", "Correct the date.") from None

    return Converter("the day in the connector's Time Zone, yyyy-mm-dd", write, settings=(zone_setting,))


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sound(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"{value!r} is not text.", "Correct the value.")
    if CONTROL.search(value):
        raise Refused("The text holds a character that cannot be sent.", "Type the text again instead of pasting it.")
    return value.strip()


def _fit(value: str, limit: int, cut: bool, at: At) -> str | None:
    taker = "Xero" if at.row is None or at.row.target[:1].isupper() else "Dynamics 365"
    if len(value) > limit and not cut:
        raise Refused(f"The text has {len(value)} characters; {taker} takes {limit}.", f"Shorten it to {limit} characters.")
    if len(value) > limit:
        at.warn(
            f"The text has {len(value)} characters; {taker} takes {limit}. The rest was cut off.",
            f"Shorten it to {limit} characters.",
        )
        value = value[:limit].rstrip()
    return value or None


def text(limit: int, *, cut: bool = False) -> Converter:
    """Write text of at most *limit* characters, without blanks around it; longer text is refused or, with *cut*, cut with a warning."""

    def write(value: Any, at: At) -> str | None:
        return _fit(_sound(value), limit, cut, at)

    return Converter(f"text, {limit} at most{', cut with a warning' if cut else ''}", write)


def one_line(limit: int, *, cut: bool = False) -> Converter:
    """Write text like ``text``, its line breaks and repeated blanks as single blanks."""

    def write(value: Any, at: At) -> str | None:
        return _fit(" ".join(_sound(value).split()), limit, cut, at)

    return Converter(f"one line of text, {limit} at most{', cut with a warning' if cut else ''}", write)


def ascii_text(limit: int) -> Converter:
    """Write printable ASCII, as Xero asks of an InvoiceNumber."""

    def write(value: Any, at: At) -> str | None:
        sound = _sound(value)
        if not (sound.isascii() and sound.isprintable()):
            raise Refused(
                f"{sound!r} holds characters Xero does not take in a number.",
                "Use letters without accents, digits and ordinary signs only.",
            )
        return _fit(sound, limit, False, at)

    return Converter(f"printable ASCII, {limit} at most", write)


def after_full_stop(limit: int) -> Converter:
    """Write text without the full stop it begins with."""

    def write(value: Any, at: At) -> str | None:
        return _fit(_sound(_sound(value).removeprefix(".")), limit, False, at)

    return Converter(f"text without its full stop, {limit} at most", write)


def _name(value: Any, at: At) -> str | None:
    tidy = " ".join(_sound(value).split())
    if "<" in tidy or ">" in tidy:
        raise Refused("Xero does not take < or > in the name of a contact.", "Remove the < or > from the name.")
    return _fit(tidy, 255, False, at)


contact_name = Converter("text, 255 at most, single blanks, no < or >", _name)


def _email(value: Any, at: At) -> str | None:
    sound = _sound(value)
    if len(sound) > 255 or not EMAIL.fullmatch(sound):
        raise Refused(f"{sound!r} is not an e-mail address Xero takes.", "Correct the e-mail address.")
    return sound


email = Converter("e-mail address, 255 at most", _email)


def _country(value: Any, at: At) -> str | None:
    sound = _sound(value)
    if any(character.isdigit() for character in sound):
        raise Refused(f"{sound!r} is not a country: Xero takes letters only.", "Correct the country.")
    return _fit(sound, 50, False, at)


country = Converter("letters, 50 at most", _country)


def _currency(value: Any, at: At) -> str:
    if not isinstance(value, str) or not CURRENCY.fullmatch(value):
        raise Refused(f"{value!r} is not a currency code.", "Give the currency its ISO code of three letters.", "administrator")
    return value


currency = Converter("ISO code", _currency)


def at_most(converter: Converter) -> int | None:
    """Return how many characters *converter* writes at most, if it limits them."""
    found = re.search(r"(\d+) at most", converter.name)
    return int(found[1]) if found else None


# ── choices, ids, rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def choice(options: Mapping[int, str]) -> Converter:
    """Write an option by its value."""

    def write(value: Any, at: At) -> str:
        if isinstance(value, bool) or value not in options:
            raise Refused(f"The option {value!r} is unknown to the connector.", f"Choose one of: {', '.join(options.values())}.")
        return options[value]

    return Converter(" / ".join(options.values()), write)


def _yes_no(value: Any, at: At) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{value!r} is neither yes nor no.", "Choose Yes or No.")
    return value


yes_no = Converter("yes or no", _yes_no)


def _guid(value: Any, at: At) -> str:
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise Refused(f"{value!r} is not an id.", "Choose the row again.") from None


guid = Converter("id", _guid)


def bind(entity_set: str) -> Converter:
    """Write the address of a Dataverse row, to bind a lookup to it."""
    return Converter("lookup", lambda value, at: f"/{entity_set}({_guid(value, at)})")


def reference(column: str, written: Converter, *, status: str = "mag_status") -> Converter:
    """Write *column* of a row of Xero's reference data, if it is active in Xero and belongs to this connector.

    *status* is the column that holds Xero's status, empty for rows that have none.
    """

    def write(value: Any, at: At) -> Any:
        label = at.row.label if at.row else ""
        name = f"{label} {value.get('mag_name') or value.get(column)}".strip()
        state = value.get(status) if status else None
        if state not in (None, "", "ACTIVE"):
            raise Refused(
                f"{name} is {str(state).lower()} in Xero and cannot be used.",
                "Choose another one, or restore it in Xero.",
                "bookkeeper",
            )
        ours, theirs = at.setting("mag_xeroconnectorid"), value.get("_mag_xeroconnectorid_value")
        if ours and theirs and ours.lower() != theirs.lower():
            raise Refused(f"{name} belongs to another Xero organisation.", "Choose one of the organisation this record goes to.")
        if value.get(column) in (None, ""):
            raise Refused(f"{name} has no code in Xero.", "Choose another one, or give it a code in Xero.", "bookkeeper")
        return written.write(value[column], at)

    reads = ("mag_name", column, "_mag_xeroconnectorid_value", *((status,) if status else ()))
    return Converter(f"its {_words(column)}", write, reads=reads, settings=("mag_xeroconnectorid",))


def _words(column: str) -> str:
    return {"mag_code": "code", "mag_taxtype": "tax type", "mag_xerobrandingthemeid": "Branding Theme ID"}[column]
