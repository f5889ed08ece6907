"""`semlink channel get`, `set`, `reset` and `presets`: the settings of the running channel."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.channel.flags import given, takes_channel_options
from cli.console import answer, lines, out, plain_table
from cli.options import ChannelAt, Json
from client.channel_control import ChannelControl
from client.connection import CHANNEL
from shared.errors import InvalidSetting
from shared.frame.delivery import strict_json
from shared.phy import ChannelSettings


def get(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Show the settings in force; those that differ from the defaults, or with --json all.

    - `semlink channel get`
    - `semlink channel get --json`
    """
    with ChannelControl(channel) as control:
        _show(control.get(), json)


@takes_channel_options
def set_(
    *,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="A preset to begin with; `semlink channel presets` lists them.")
    ] = "",
    channel: ChannelAt = CHANNEL,
    json: Json = False,
    **settings: Any,
) -> None:
    """Change some settings, all at once; the others stay.

    - `semlink channel set --snr-db 0 --fading rayleigh`
    - `semlink channel set --snr-db inf --fading none` — a perfect channel
    - `semlink channel set --preset vehicular --snr-db 15` — a preset replaces all settings but the seed
    - `semlink channel set --loss-probability 0.1` — every tenth burst is lost
    """
    changes = given(settings)
    if not changes and not preset:
        raise InvalidSetting("nothing to set; name a setting, for example --snr-db 5")
    with ChannelControl(channel) as control:
        _show(control.set(preset, **changes), json)


def reset(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Go back to the settings that the channel was started with; a schedule ends.

    - `semlink channel reset`
    """
    with ChannelControl(channel) as control:
        _show(control.reset(), json)


def presets(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """List typical channels, with the sources of their figures.

    - `semlink channel presets`
    - `semlink channel set --preset pedestrian`
    """
    with ChannelControl(channel) as control:
        found = control.presets()
    table = plain_table("preset", "what it is", "settings", "source")
    for preset in found:
        table.add_row(preset.name, preset.description, lines(preset.settings), preset.source)
        table.add_row()
    document = [asdict(preset) | {"settings": strict_json(preset.settings)} for preset in found]
    answer(json, document, lambda: out.print(table))


def _show(settings: ChannelSettings, json: bool) -> None:
    table = Table.grid(padding=(0, 2))
    differing = settings.model_dump(exclude_defaults=True)
    for name, value in ({"snr_db": settings.snr_db, "fading": settings.fading} | differing).items():
        table.add_row(name, str(value))
    note = "[dim]all else is as `semlink channel set --help` says by default"
    answer(json, strict_json(dict(settings)), lambda: out.print(table, note))
