"""Small parts of the page."""

import base64
from collections.abc import Awaitable
from typing import TypeVar

from nicegui import ui

from client import SemLinkError

Part = TypeVar("Part", bound=ui.element)
Answer = TypeVar("Answer")


def tagged(part: Part, name: str) -> Part:
    """The part, with a name by which tests find it in the browser."""
    part.props["data-testid"] = name
    return part


def labelled(part: Part, text: str) -> Part:
    """The part, with a name for screen readers. Texts of others never go through `props(...)`, which parses them."""
    part.props["aria-label"] = text
    return part


def show_address(part: Part, address: str, alt: str) -> Part:
    """Let an `img` show what lies at an address."""
    part.props["src"] = address
    part.props["alt"] = alt
    part.update()
    return part


def show_picture(part: Part, data: bytes, alt: str) -> Part:
    """Let an `img` show a picture file, inside the page; the browser finds out which kind it is."""
    return show_address(part, "data:image;base64," + base64.b64encode(data).decode(), alt)


def picture(data: bytes, alt: str, classes: str) -> ui.element:
    """A picture file on the page."""
    return show_picture(ui.element("img").classes(classes), data, alt)


def judged(part: Part, *, right: bool | None) -> Part:
    """The part in the colour of what is right, or wrong; None where that is not known."""
    name = "semlink-unknown" if right is None else "semlink-right" if right else "semlink-wrong"
    return part.classes(add=name, remove=" ".join({"semlink-unknown", "semlink-right", "semlink-wrong"} - {name}))


class Latest:
    """Lets the last of several questions win: an earlier one may be answered later."""

    def __init__(self) -> None:
        self._asked = 0

    async def answer_of(self, question: Awaitable[Answer | None]) -> Answer | None:
        """The answer, or None where another question was asked meanwhile."""
        self._asked += 1
        mine = self._asked
        answer = await question
        return answer if mine == self._asked else None


class ErrorLine:
    """Where a tab says what went wrong, beside what caused it. name: see `tagged`."""

    def __init__(self, name: str) -> None:
        self._label = tagged(ui.label().classes("text-negative").props('role="alert"'), name)

    def say(self, text: str) -> None:
        """Show an error, where it can be seen; an empty text takes the last one away."""
        if text and text != self._label.text:
            self._label.run_method("scrollIntoView", {"block": "nearest"})
        self._label.set_text(text)

    async def answer_of(self, question: Awaitable[Answer]) -> Answer | None:
        """What a service answers, or None with its error shown."""
        try:
            answer = await question
        except SemLinkError as error:
            self.say(str(error))
            return None
        self.say("")
        return answer
