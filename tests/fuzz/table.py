"""All targets, in groups; the fuzzer runs one process for each group."""

from collections.abc import Mapping
from typing import Final

from tests.fuzz.files import FILES, PICTURES, SETTINGS
from tests.fuzz.messages import TARGETS
from tests.fuzz.target import Target

GROUPS: Final[Mapping[str, tuple[Target, ...]]] = {
    "messages": TARGETS,
    "files": FILES,
    "settings": SETTINGS,
    "pictures": PICTURES,
}
