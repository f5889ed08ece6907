"""Presets: settings of typical situations, read from `presets.toml`, which names the sources of their values."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import NotFound
from shared.phy.conditions.settings import ChannelSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """A situation. settings: the fields that differ from the defaults. source: of its values."""

    name: str
    description: str
    source: str
    settings: Mapping[str, Any]

    def applied(self, seed: int = 0) -> ChannelSettings:
        """All settings of the channel in this situation, with defaults for the others."""
        return ChannelSettings(seed=seed).updated(**self.settings)


_TABLE: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PRESETS: Final[Mapping[str, Preset]] = {name: Preset(name, **fields) for name, fields in _TABLE.items()}


def preset_named(name: str) -> Preset:
    """The preset of that name. Raises NotFound for another."""
    try:
        return PRESETS[name]
    except KeyError:
        raise NotFound(f"preset {name!r}: choose from {', '.join(PRESETS)}") from None
