"""`semlink channel`: the settings of the running channel."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli import channel_recording, channel_schedule, channel_watch
from cli.channel_options import given, takes_channel_options
from cli.console import ChannelAt, Json, lines, out, plain_table, print_json
from client.connection import CHANNEL
from shared.errors import InvalidSetting
from shared.frame.delivery import strict_json
from shared.phy import ChannelSettings

app = typer.Typer(no_args_is_help=True, help="Read, change, watch and record the channel that all pictures go through.")


@app.command()
def get(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Show the settings in force; those that differ from the defaults, or with --json all.

    - `semlink channel get`
    - `semlink channel get --json`
    """
    from client.channel_control import ChannelControl  # noqa: PLC0415 - gRPC, when it is needed

    with ChannelControl(channel) as control:
        _show(control.get(), json)


@app.command("set")
@takes_channel_options
def set_(
    *,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="A situation to begin with; `semlink channel presets` lists them.")
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
    from client.channel_control import ChannelControl  # noqa: PLC0415

    changes = given(settings)
    if not changes and not preset:
        raise InvalidSetting("nothing to set; name a setting, for example --snr-db 5")
    with ChannelControl(channel) as control:
        _show(control.set(preset, **changes), json)


@app.command()
def reset(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Go back to the settings that the channel was started with; a scenario ends.

    - `semlink channel reset`
    """
    from client.channel_control import ChannelControl  # noqa: PLC0415

    with ChannelControl(channel) as control:
        _show(control.reset(), json)


@app.command()
def presets(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """List situations that one recognises, with the sources of their figures.

    - `semlink channel presets`
    - `semlink channel set --preset pedestrian`
    """
    from client.channel_control import ChannelControl  # noqa: PLC0415

    with ChannelControl(channel) as control:
        found = control.presets()
    if json:
        print_json([asdict(preset) | {"settings": strict_json(preset.settings)} for preset in found])
        return
    table = plain_table("preset", "what it is", "settings", "source")
    for preset in found:
        table.add_row(preset.name, preset.description, lines(preset.settings), preset.source)
        table.add_row()
    out.print(table)


app.command("schedule")(channel_schedule.schedule)
app.command("watch")(channel_watch.watch)
app.command("record")(channel_recording.record)
app.command("replay")(channel_recording.replay)


def _show(settings: ChannelSettings, json: bool) -> None:
    from rich.table import Table  # noqa: PLC0415

    if json:
        print_json(strict_json(dict(settings)))
        return
    table = Table.grid(padding=(0, 2))
    differing = settings.model_dump(exclude_defaults=True)
    for name, value in ({"snr_db": settings.snr_db, "fading": settings.fading} | differing).items():
        table.add_row(name, str(value))
    out.print(table)
    out.print("all else is as `semlink channel set --help` says by default", style="dim")
