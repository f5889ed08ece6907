"""What every service's `__main__` does: read settings, serve, and say in one line why it could not."""

import sys

from shared.errors import SemLinkError
from shared.rpc.server import Service, run
from shared.runtime.config import ServerSettings, read_settings


def main(program: str, settings_kind: type[ServerSettings], service: type[Service]) -> None:
    """Run a service until it is told to stop. Exits 2 for a wrong setting."""
    try:
        settings = read_settings(settings_kind, program)
    except SemLinkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    run(service, settings)
