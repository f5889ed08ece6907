"""Small parts of the page."""

import base64
from typing import TypeVar

from nicegui import ui

Part = TypeVar("Part", bound=ui.element)


def tagged(part: Part, name: str) -> Part:
    """The part, with a name by which tests find it in the browser."""
    part.props["data-testid"] = name
    return part


def labelled(part: Part, text: str) -> Part:
    """The part, with a name for screen readers. Texts of others never go through `props(...)`, which parses them."""
    part.props["aria-label"] = text
    return part


def show_picture(part: Part, data: bytes, alt: str) -> Part:
    """Let an `img` show a picture file, inside the page; the browser finds out which kind it is."""
    part.props["src"] = "data:image;base64," + base64.b64encode(data).decode()
    part.props["alt"] = alt
    part.update()
    return part


def picture(data: bytes, alt: str, classes: str) -> ui.element:
    """A picture file on the page."""
    return show_picture(ui.element("img").classes(classes), data, alt)
