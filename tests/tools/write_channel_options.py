"""`python -m tests.tools.write_channel_options`: writes client/channel_options.py from the channel's settings.

A type checker cannot derive a TypedDict from a model, so `make protos` does.
"""

from pathlib import Path
from typing import Any

from shared.phy import ChannelSettings
from shared.phy.conditions import settings as channel_settings

PATH = Path("client/channel_options.py")
_HEAD = '''"""The channel's settings as options of a call. Written by `make protos`; do not edit."""

from typing import TypedDict

from shared.phy.conditions.settings import {names}


class ChannelOptions(TypedDict, total=False):
    """Settings of the channel; one that is None or absent is left as it is.

    `shared.phy.ChannelSettings` says what each means and in which range it lies; so does
    `semlink channel set --help`. math.inf: no noise (snr_db), no interferer (sir_db), a linear amplifier
    (pa_backoff_db).
    """

{rows}
'''


def text() -> str:
    """The module."""
    names = {id(kind): name for name, kind in vars(channel_settings).items() if name.endswith("Name")}
    kinds: dict[str, Any] = {name: field.annotation for name, field in ChannelSettings.model_fields.items()}
    written = {name: names.get(id(kind)) or kind.__name__ for name, kind in kinds.items()}
    imported = sorted(set(written.values()) & set(names.values()))
    rows = "\n".join(f"    {name}: {kind} | None" for name, kind in written.items())
    return _HEAD.format(names=", ".join(imported), rows=rows)


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
