"""The XML of solution files: elements in the order they are added, labels in the solution's one language."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from solution.publisher import LANGUAGE


def add(parent: Element, tag: str, text: str | int | None = None, /, **attributes: str | int) -> Element:
    """Add a child and return it; attributes keep the order they are written in."""
    child = SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    if text is not None:
        child.text = str(text)
    return child


def each(parent: Element, **children: str | int) -> None:
    """Add a run of plain children, tag by tag."""
    for tag, text in children.items():
        add(parent, tag, text)


def localized(parent: Element, plural: str, singular: str, text: str) -> Element:
    """Add a list of one text in the solution's language, for example LocalizedNames/LocalizedName."""
    holder = add(parent, plural)
    add(holder, singular, None, description=text, languagecode=LANGUAGE)
    return holder


def document(root: Element) -> bytes:
    """Return the element as a UTF-8 file: the same bytes for the same tree, on every system."""
    indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode").encode() + b"\n"


def fragment(element: Element) -> str:
    """Return the element as one line of text, as the Web API takes a form's or a view's XML."""
    return tostring(element, encoding="unicode")
