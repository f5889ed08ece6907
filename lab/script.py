"""Scripts of the laboratory, `python -m lab.PACKAGE.NAME`: what is wrong is told as the command line tells it."""

import sys
from collections.abc import Callable

import typer

from shared.errors import SemLinkError


def run_script(main: Callable[..., None]) -> None:
    """Run a function with its arguments from the command line; an error of SemLink is one line, and status 1."""
    try:
        typer.run(main)
    except SemLinkError as error:
        sys.exit(f"semlink: {error}")
