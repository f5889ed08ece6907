"""`semlink channel record` and `replay`."""

from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Annotated, Any, Final

import typer

from cli.console import answer, complain, err, error_json, out, plain_table, signals_call, status_of
from cli.options import ChannelAt, Json
from client.channel_control import ChannelControl, Recording, Replayed
from client.connection import CHANNEL
from client.recording import RecordingWriter, read_recording
from shared.errors import SemLinkError
from shared.frame.channel_records import RecordedBurst

_YEAR: Final = 366 * 86400.0
"""Seconds; a timer that is set much longer never runs."""
Name = Annotated[Path, typer.Option("--out", metavar="NAME", help="Writes NAME.sigmf-data and NAME.sigmf-meta.")]


def record(
    *,
    name: Name,
    sent: Annotated[
        bool, typer.Option("--sent", help="Record what was sent too, in NAME-sent; a replay of the physics needs it.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many bursts.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, max=_YEAR, help="Stop after so many seconds; or Ctrl-C.")
    ] = None,
    channel: ChannelAt = CHANNEL,
    json: Json = False,
) -> None:
    """Record every burst that passes, in the format SigMF, which radio tools open.

    The samples are what the receiver got. Each burst is an annotation that holds all that is needed to replay it.

    - `semlink channel record --out out/evening --seconds 60`
    - `semlink channel record --out out/hundred --count 100 --sent`
    """
    with (
        signals_call() as called,
        ChannelControl(channel) as control,
        RecordingWriter(name, sent=sent) as writer,
        control.record(sent) as recording,
    ):
        called.append(recording.stop)
        err.print("recording; Ctrl-C ends it", style="dim")
        failure = _write(recording, writer, count, seconds)
    document = {"bursts": writer.bursts, "lost": writer.lost, "symbols": writer.symbols, "files": writer.files}
    written = f"{writer.bursts} bursts, {writer.lost} of them lost, in {', '.join(writer.files)}"
    answer(json, document, lambda: out.print(written if writer.bursts else "no burst passed; nothing was written"))
    if failure is not None:
        raise failure


def _write(
    recording: Recording, writer: RecordingWriter, count: int | None, seconds: float | None
) -> SemLinkError | None:
    """Write bursts until the count, the seconds, Ctrl-C, or the end of the channel; why it ended otherwise."""
    timer = Timer(seconds or 0, recording.stop)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        for recorded in islice(recording, count):
            writer.add(recorded)
    except SemLinkError as error:
        return error
    finally:
        timer.cancel()
    return None


def replay(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="The recording, with or without suffix.")],
    *,
    timeout: Annotated[float, typer.Option(help="Seconds for each burst.")] = 30.0,
    channel: ChannelAt = CHANNEL,
    json: Json = False,
) -> None:
    """Send recorded bursts to the receiver as they arrived there, and show its answers.

    No fading, no noise and no fault is added; bursts that were lost are left out.

    - `semlink channel replay out/evening`
    """
    recorded = [each for each in read_recording(name) if not each.lost]
    with ChannelControl(channel) as control:
        answers = sorted(control.replay([each.burst for each in recorded], timeout))
    rows = [_row(recorded[answered.position], answered) for answered in answers]
    answer(json, rows, lambda: _show(rows))
    failures = [each.outcome for each in answers if isinstance(each.outcome, SemLinkError)]
    if failures:
        complain(f"semlink: {len(failures)} of {len(rows)} bursts were not answered", "red")
        raise typer.Exit(min(map(status_of, failures)))


def _show(rows: list[dict[str, Any]]) -> None:
    table = plain_table("stream", "counter", "label", "nearest item", numbers=("distance", "confidence"))
    for row in rows:
        found = row.get("error", {}).get("message") or row["label"]
        numbers = (f"{row['distance']:.3f}", f"{row['confidence']:.2f}") if "confidence" in row else ()
        table.add_row(str(row["stream"]), str(row["counter"]), found, row.get("item_id", ""), *numbers)
    out.print(table)


def _row(recorded: RecordedBurst, answered: Replayed) -> dict[str, Any]:
    place = {"stream": recorded.burst.stream, "counter": recorded.burst.counter}
    if isinstance(answered.outcome, SemLinkError):
        return place | error_json(answered.outcome)
    answer = answered.outcome
    return place | {
        "item_id": answer.top[0].item_id,
        "label": answer.top[0].label,
        "distance": answer.top[0].distance,
        "confidence": answer.confidence,
        "accepted": answer.accepted,
        "reason": answer.reason,
        "top": answer.top,
    }
