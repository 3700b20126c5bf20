"""The where filter of Xero's lists, written so that no text can break out of it."""

from __future__ import annotations


def equals(name: str, text: str) -> str:
    """Return a where clause that holds for every element whose field *name* is *text*.

    Xero refuses a quotation mark inside a text however it is escaped (XeroAPI/Xero-Java issue 347), so that such a text is asked for
    by the pieces between its marks: the answer may hold more, and the caller compares. An empty clause asks for everything.
    """
    if '"' not in text:
        return f'{name}=="{text}"'
    pieces = [f'{name}.Contains("{piece}")' for piece in text.split('"') if piece.strip()]
    return f"({' AND '.join((f'{name}!=null', *pieces))})" if pieces else ""


def any_of(clauses: list[str]) -> str | None:
    """Join *clauses* by OR; None, the whole list, when one of them asks for everything."""
    return " OR ".join(clauses) if all(clauses) else None
