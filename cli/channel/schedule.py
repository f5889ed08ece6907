"""`semlink channel schedule`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import answer, lines, out, plain_table
from cli.options import ChannelAt, Json
from client.channel_control import ChannelControl
from client.connection import CHANNEL
from shared.errors import InvalidSetting
from shared.frame.channel_records import ScheduleState
from shared.frame.delivery import strict_json
from shared.phy.conditions.schedule import Schedule


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
    answer(json, _as_json(state), lambda: _show(state))


def _show(state: ScheduleState) -> None:
    running, seconds = state
    if running is None:
        out.print("no schedule runs")
        return
    out.print(f"{running.name}: {len(running.changes)} changes by the {running.clock} clock, at {seconds:.3f} s")
    table = plain_table("seconds", "over", "settings")
    for change in running.changes:
        over = f"{change.ramp_seconds:g} s" if change.ramp_seconds else ""
        table.add_row(f"{change.seconds:g}", over, lines(change.settings))
    out.print(table)


def _as_json(state: ScheduleState) -> dict[str, Any]:
    running, seconds = state
    if running is None:
        return {"schedule": None}
    changes = [
        {"seconds": each.seconds, "ramp_seconds": each.ramp_seconds, "settings": strict_json(each.settings)}
        for each in running.changes
    ]
    return {
        "schedule": running.name,
        "seconds": seconds,
        "clock": running.clock,
        "repeat_seconds": running.repeat_seconds,
        "settings": strict_json(running.settings),
        "changes": changes,
    }
