"""`semlink demo`: everything in a minute."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.codecs import CODEC_HELP, OwnCodec
from cli.console import OUT, Json, err, out, print_json, stop_on_sigterm
from cli.up import Clip, Device, Download, Kb, Models, Out, Weights, make_plan, running
from client.options import SendOptions
from shared.errors import InvalidSetting

if TYPE_CHECKING:
    from cli.demo.result import DemoResult
    from cli.demo.run import Addresses
    from local.supervisor import LocalLink

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
        bool, typer.Option("--tell-snr", help="Tell the sender each row's SNR, as a link that adapts would.")
    ] = False,
    ask_for_more: Annotated[
        bool, typer.Option("--ask-for-more", help="Begin with k, or with few; more while the receiver asks.")
    ] = False,
    certainty: Annotated[float | None, typer.Option(help="The more, the more it asks; else 0.99.")] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures on their way at once; 1 measures an unloaded link.")
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
    """Start a link, send pictures through good and bad channels, and show how many arrive in meaning.

    Prints accuracy, latency and where the time went; writes `demo.png` and `demo.json` into --out; stops the link.
    Seeds are fixed: the accuracies are the same every time.

    - `semlink demo`
    - `semlink demo --images 50 --snr-db -5 --snr-db 5 --k 16`
    - `semlink demo --codec webp-ldpc --tell-snr` — the pictures themselves, over LDPC
    - `semlink demo --ask-for-more` — each picture takes as many symbols as it needs
    - `semlink demo --transmitter 127.0.0.1:50051 --receiver 127.0.0.1:50053` — through a link that runs already
    """
    from cli.demo.run import Plan, require_matplotlib, run_demo  # noqa: PLC0415 - numpy, gRPC

    require_matplotlib()
    stop_on_sigterm()
    options = SendOptions(codec=codec, k=k, ask_for_more=ask_for_more, certainty=certainty)
    plan = Plan(images, tuple(snr_db or (-10, -5, 0, 5, 10)), options, concurrency, tell_snr)
    models = Models(clip, weights, device, download, codec, own_codecs=tuple(own_codec or ()))
    own = make_plan(directory, kb=kb, source="drawn", models=models, read_only=True)  # `semlink up` may be serving it
    with _link(transmitter, channel, receiver) or running(own) as link:
        result = run_demo(plan, _addresses(link), err)
    _write(result, directory, json)


def _link(
    transmitter: str | None, channel: str | None, receiver: str | None
) -> "AbstractContextManager[Addresses] | None":
    """The running link that was named; None if none was."""
    from cli.demo.run import Addresses  # noqa: PLC0415

    if transmitter is None and channel is None and receiver is None:
        return None
    if transmitter is None or receiver is None:
        raise InvalidSetting("a running link needs both --transmitter and --receiver, each HOST:PORT")
    return nullcontext(Addresses(transmitter, receiver))


def _addresses(link: "LocalLink | Addresses") -> "Addresses":
    from cli.demo.run import Addresses  # noqa: PLC0415

    return Addresses(link.transmitter, link.receiver)


def _write(result: "DemoResult", directory: Path, json: bool) -> None:
    from json import dumps  # noqa: PLC0415

    from cli.demo.figure import draw_figure  # noqa: PLC0415 - matplotlib
    from cli.demo.tables import accuracy_table, ledger_table  # noqa: PLC0415

    directory.mkdir(parents=True, exist_ok=True)
    document = result.to_json()
    text = dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / "demo.json").write_text(text + "\n", encoding="utf-8")
    draw_figure(result, directory / "demo.png")
    if json:
        print_json(document)
        return
    out.print(accuracy_table(result), ledger_table(result))
    out.print(f"\nwrote {directory / 'demo.png'} and {directory / 'demo.json'}")
