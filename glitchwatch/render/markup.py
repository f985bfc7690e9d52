"""Grow XML and HTML as trees, so that every text is escaped by construction."""

from xml.etree import ElementTree as ET

from glitchwatch.render.words import clean

Element = ET.Element
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def node(tag: str, text: str | None = None, /, **attributes: object) -> Element:
    """An element; `class_` becomes `class`, `_` in other names becomes `-`, and None leaves one out."""
    element = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            element.set(name.rstrip("_").replace("_", "-"), clean(str(value)))
    if text is not None:
        element.text = clean(text)
    return element


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: object) -> Element:
    """`node`, as the last child of `parent`."""
    child = node(tag, text, **attributes)
    parent.append(child)
    return child


def xml(root: Element) -> str:
    """A whole XML document."""
    ET.indent(root)
    return DECLARATION + ET.tostring(root, encoding="unicode") + "\n"


def html(root: Element) -> str:
    """A whole HTML document."""
    return "<!doctype html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"
