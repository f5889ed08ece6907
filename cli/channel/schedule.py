"""`semlink channel schedule`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import answer, lines, out, plain_table
from cli.options import ChannelAt, Json
from client.channel_control import ChannelControl, ScheduleState
from client.connection import CHANNEL
from client.delivery import strict_json
from shared.errors import InvalidSetting
from shared.phy.conditions.schedule import Scenario


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
    scenario = None if file is None else Scenario.from_file(file)
    with ChannelControl(channel) as control:
        state = control.schedule(scenario) if scenario is not None or end else control.scheduled()
    answer(json, _as_json(state), lambda: _show(state))


def _show(state: ScheduleState) -> None:
    scenario, seconds = state
    if scenario is None:
        out.print("no schedule runs")
        return
    out.print(f"{scenario.name}: {len(scenario.changes)} changes by the {scenario.clock} clock, at {seconds:.3f} s")
    table = plain_table("seconds", "over", "settings")
    for change in scenario.changes:
        over = f"{change.ramp_seconds:g} s" if change.ramp_seconds else ""
        table.add_row(f"{change.seconds:g}", over, lines(change.settings))
    out.print(table)


def _as_json(state: ScheduleState) -> dict[str, Any]:
    scenario, seconds = state
    if scenario is None:
        return {"schedule": None}
    changes = [
        {"seconds": each.seconds, "ramp_seconds": each.ramp_seconds, "settings": strict_json(each.settings)}
        for each in scenario.changes
    ]
    return {
        "schedule": scenario.name,
        "seconds": seconds,
        "clock": scenario.clock,
        "repeat_seconds": scenario.repeat_seconds,
        "settings": strict_json(scenario.settings),
        "changes": changes,
    }
