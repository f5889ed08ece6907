"""`semlink channel get`, `set`, `reset`, `presets` and `schedule`: the settings of the running channel."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.channel.flags import given, takes_channel_options
from cli.console import answer, lines, out, plain_table
from cli.options import ChannelAt, Json
from client.channel_control import ChannelControl
from client.connection import CHANNEL
from shared.errors import InvalidSetting
from shared.frame.channel_records import ScheduleState
from shared.phy import ChannelSettings
from shared.phy.conditions.schedule import Schedule


def get(channel: ChannelAt = CHANNEL, json: Json = False) -> None:
    """Show the settings in force; those that differ from the defaults, or with --json all.

    - `semlink channel get`
    - `semlink channel get --json`
    """
    with ChannelControl(channel) as control:
        _show(control.get(), json)


@takes_channel_options()
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
    answer(json, found, lambda: out.print(table))


def schedule(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The schedule, a TOML file.")] = None,
    *,
    end: Annotated[bool, typer.Option("--end", help="End the schedule that runs; its settings stay.")] = False,
    channel: ChannelAt = CHANNEL,
    json: Json = False,
) -> None:
    """Start a schedule: settings, ramps and faults over time. Without a file, show the one that runs.

    - `semlink channel schedule train.toml`
    - `semlink channel schedule` — which one runs, and where it stands
    - `semlink channel schedule --end`
    """
    if file is not None and end:
        raise InvalidSetting(f"--end with {file}: either start a schedule or end one")
    wanted = None if file is None else Schedule.from_file(file)
    with ChannelControl(channel) as control:
        state = control.schedule(wanted) if wanted is not None or end else control.scheduled()
    answer(json, _as_json(state), lambda: _show_schedule(state))


def _show(settings: ChannelSettings, json: bool) -> None:
    table = Table.grid(padding=(0, 2))
    differing = settings.model_dump(exclude_defaults=True)
    for name, value in ({"snr_db": settings.snr_db, "fading": settings.fading} | differing).items():
        table.add_row(name, str(value))
    note = Text("all else is as `semlink channel set --help` says by default", "dim")
    answer(json, settings, lambda: out.print(table, note))


def _show_schedule(state: ScheduleState) -> None:
    running, seconds = state
    if running is None:
        out.print("no schedule runs")
        return
    out.print(f"{running.name}: {len(running.changes)} changes by the {running.clock} clock, at {seconds:.3f} s")
    rows = (
        (f"{change.seconds:g}", f"{change.ramp_seconds:g} s" if change.ramp_seconds else "", lines(change.settings))
        for change in running.changes
    )
    out.print(plain_table("seconds", "over", "settings", rows=rows))


def _as_json(state: ScheduleState) -> dict[str, Any]:
    running, seconds = state
    if running is None:
        return {"schedule": None}
    return {
        "schedule": running.name,
        "seconds": seconds,
        "clock": running.clock,
        "repeat_seconds": running.repeat_seconds,
        "settings": running.settings,
        "changes": running.changes,
    }
