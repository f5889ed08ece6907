"""`semlink demo`: everything in a minute."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, out, stop_on_signals
from cli.demo.figure import draw_figure
from cli.demo.result import DemoResult
from cli.demo.run import Plan, run_demo
from cli.demo.tables import accuracy_table, ledger_table
from cli.lazy import load
from cli.options import ASK_FOR_MORE_HELP, CERTAINTY_HELP, CODEC_HELP, OUT, Download, Json, OwnCodec
from cli.up import Clip, Device, Kb, Out, Weights, make_plan, running
from client.options import SendOptions
from local.supervisor import LinkPlan
from shared.errors import InvalidSetting

_SCENES = 10  # of `--ask`, with about 55 questions
_RUNNING = "A running link instead of one of its own"
_At = typer.Option(metavar="HOST:PORT", rich_help_panel=_RUNNING)


def demo(
    *,
    images: Annotated[int, typer.Option(min=1, max=1000, help="Pictures of the drawn set.")] = 200,
    snr_db: Annotated[
        list[float] | None, typer.Option(help="Es/N0 in dB; give it several times. Else -10 -5 0 5 10.")
    ] = None,
    codec: Annotated[str | None, typer.Option(help=f"Else the transmitter's default. {CODEC_HELP}")] = None,
    own_codec: OwnCodec = None,
    k: Annotated[int | None, typer.Option(help="Real dimensions; k/2 symbols go out.")] = None,
    tell_snr: Annotated[
        bool, typer.Option("--tell-snr", help="Design SNR is each row's SNR, as a link that adapts would set it.")
    ] = False,
    ask_for_more: Annotated[bool, typer.Option("--ask-for-more", help=ASK_FOR_MORE_HELP)] = False,
    certainty: Annotated[float | None, typer.Option(help=CERTAINTY_HELP)] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask questions about scenes instead, and draw a sheet of the answers.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures in flight; 1 measures an unloaded link.")
    ] = 1,
    kb: Kb = None,
    clip: Clip = None,
    weights: Weights = None,
    download: Download = False,
    device: Device = None,
    directory: Out = OUT,
    transmitter: Annotated[str | None, _At] = None,
    channel: Annotated[str | None, _At] = None,
    receiver: Annotated[str | None, _At] = None,
    json: Json = False,
) -> None:
    """Start a link, send pictures through good and bad channels, and show how many arrive with the right label.

    Prints accuracy, latency and the time of each stage; writes `demo.png` and `demo.json` into --out; stops the link.
    Seeds are fixed: the accuracies are the same every time.

    - `semlink demo`
    - `semlink demo --images 50 --snr-db -5 --snr-db 5 --k 16`
    - `semlink demo --codec webp-ldpc --tell-snr` — the pictures themselves, over LDPC
    - `semlink demo --ask-for-more` — each picture takes as many symbols as it needs
    - `semlink demo --ask` — questions about scenes: `demo-ask.png`
    - `semlink demo --transmitter 127.0.0.1:50051 --receiver 127.0.0.1:50053` — through a link that runs already
    """
    stop_on_signals()
    options = SendOptions(codec=codec, k=k, ask_for_more=ask_for_more, certainty=certainty)
    plan = Plan(images, tuple(snr_db or (-10, -5, 0, 5, 10)), options, concurrency, tell_snr)
    models = {"clip": clip, "weights": weights, "device": device, "download": download, "own_codec": own_codec}
    # `semlink up` may be serving the same knowledge base
    own = make_plan(directory, kb=kb, source="drawn", models=models, codec=codec, read_only=True)
    with _addresses(transmitter, channel, receiver, own) as (near, far):
        if ask:
            _write_ask(near, directory, json)
            return
        result = run_demo(plan, near, far)
    _write(result, directory, json)


@contextmanager
def _addresses(
    transmitter: str | None, channel: str | None, receiver: str | None, own: LinkPlan
) -> Iterator[tuple[str, str]]:
    """Transmitter and receiver of the running link that was named, or of one of its own."""
    if transmitter is None and channel is None and receiver is None:
        with running(own) as link:
            yield link.transmitter, link.receiver
    elif transmitter is None or receiver is None:
        raise InvalidSetting("a running link needs both --transmitter and --receiver, each HOST:PORT")
    else:
        yield transmitter, receiver


def _write_ask(transmitter: str, directory: Path, json: bool) -> None:
    result = load("cli.demo.ask:run_ask")(transmitter, _SCENES)  # it needs torch, which the rest of the demo does not
    directory.mkdir(parents=True, exist_ok=True)
    figure, document = directory / "demo-ask.png", result.to_json()
    load("cli.demo.ask:draw_ask")(result, figure)
    lines = [f"{row['codec']:14} {row['snr_db']:5g} dB  {row['accuracy']:.3f}" for row in document["rows"]]
    answer(json, document, lambda: out.print("\n".join(lines), f"\nwrote {figure}"))


def _write(result: DemoResult, directory: Path, json: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    figure, file, document = directory / "demo.png", directory / "demo.json", result.to_json()
    file.write_text(dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    draw_figure(result, figure)
    written = f"\nwrote {figure} and {file}"
    answer(json, document, lambda: out.print(accuracy_table(result), ledger_table(result), written))
