"""What every service's `__main__` does: read settings, serve, and say in one line why it could not."""

import sys
from collections.abc import Callable
from typing import TypeVar

from shared.errors import SemLinkError
from shared.rpc.server import Service, run
from shared.runtime.config import ServerSettings, read_settings

Settings = TypeVar("Settings", bound=ServerSettings)


def main(program: str, kind: type[Settings], make_service: Callable[[Settings], Service]) -> None:
    """Run a service until it is told to stop. Exits 2 for a wrong setting."""
    try:
        settings = read_settings(kind, program)
        service = make_service(settings)
    except SemLinkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    run(service, settings)
