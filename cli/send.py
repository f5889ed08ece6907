"""`semlink send`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.channel_options import given, takes_channel_options
from cli.codecs import CODEC_HELP
from cli.console import Json, Transmitter, err, out, print_json
from client.connection import TRANSMITTER
from client.options import SendOptions
from shared.errors import InvalidInput, NotFound, SemLinkError
from shared.frame.burst import Csi
from shared.phy import PilotPattern

if TYPE_CHECKING:
    from shared.frame.delivery import Delivery

_RADIO = "Radio"


@takes_channel_options
def send(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files: JPEG, PNG, WebP ...")],
    *,
    codec: Annotated[str | None, typer.Option(help=CODEC_HELP, rich_help_panel=_RADIO)] = None,
    k: Annotated[
        int | None,
        typer.Option(
            help="Real dimensions; k/2 symbols go out. With --ask-for-more: to begin with.", rich_help_panel=_RADIO
        ),
    ] = None,
    design_snr_db: Annotated[
        float | None, typer.Option(help="SNR that the codec is told to expect, where it cares.", rich_help_panel=_RADIO)
    ] = None,
    ask_for_more: Annotated[
        bool,
        typer.Option(
            "--ask-for-more", help="Few symbols, more while the receiver asks; codec nested.", rich_help_panel=_RADIO
        ),
    ] = False,
    certainty: Annotated[
        float | None, typer.Option(help="The more, the more it asks; else 0.99.", rich_help_panel=_RADIO)
    ] = None,
    k_max: Annotated[
        int | None, typer.Option(help="Length at which to stop asking; else the longest.", rich_help_panel=_RADIO)
    ] = None,
    csi: Annotated[
        Csi | None, typer.Option(help="What the receiver knows of the channel.", rich_help_panel=_RADIO)
    ] = None,
    pilots: Annotated[int | None, typer.Option(help="Pilot symbols, 2 to 1024.", rich_help_panel=_RADIO)] = None,
    pilot_pattern: Annotated[
        PilotPattern | None,
        typer.Option(
            "--pilot-pattern",
            "--pilot-placing",
            help="preamble: one gain for the burst; scattered: the gain is tracked.",
            rich_help_panel=_RADIO,
        ),
    ] = None,
    stream: Annotated[
        int | None, typer.Option(help="Names the random draw, for replay.", rich_help_panel=_RADIO)
    ] = None,
    counter: Annotated[
        int | None,
        typer.Option(help="Of the first picture and its first round, for replay.", rich_help_panel=_RADIO),
    ] = None,
    top: Annotated[int, typer.Option(help="Nearest items wanted, 1 to 100.")] = 5,
    trace: Annotated[bool, typer.Option("--trace", help="With --json: the symbols sent, received, equalized.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for each picture.")] = 30.0,
    transmitter: Transmitter = TRANSMITTER,
    json: Json = False,
    **settings: Any,
) -> None:
    """Send pictures over the link and show what arrives.

    - `semlink send cat.jpg`
    - `semlink send cat.jpg --snr-db 0 --fading rayleigh` — through a bad channel
    - `semlink send *.png --k 16 --json` — one JSON array; a single picture gives one object
    - `semlink send cat.jpg --codec webp-ldpc --snr-db 10 --design-snr-db 10` — as a WebP file, for comparison
    - `semlink send cat.jpg --seed 7 --stream 1 --counter 3` — the same noise every time
    - `semlink send cat.jpg --fading rayleigh --coherence-symbols 16 --pilot-pattern scattered --pilots 32`
    - `semlink send cat.jpg --ask-for-more --certainty 0.95` — only as many symbols as it takes

    The link must be up: `semlink up` starts it. Settings of the channel hold for these pictures alone;
    `semlink channel set` changes them for all.
    """
    options = SendOptions(
        codec=codec, k=k, design_snr_db=design_snr_db, csi=csi, pilot_symbols=pilots, pilot_pattern=pilot_pattern,
        stream=stream, counter=counter, top_k=top, trace=trace, timeout=timeout,
        ask_for_more=ask_for_more, certainty=certainty, k_max=k_max, **given(settings),
    )  # fmt: skip
    if len(images) == 1:
        _send_one(images[0], transmitter, options, json)
    else:
        _send_several(images, transmitter, options, json)


def _send_one(image: Path, transmitter: str, options: SendOptions, json: bool) -> None:
    from cli.deliveries import show_delivery  # noqa: PLC0415 - rich tables, when there is something to show
    from client.client import SemLink  # noqa: PLC0415

    try:
        with SemLink(transmitter) as link:
            delivery = link.send(image, **options)
    except SemLinkError as error:
        raise type(error)(_naming(image, error)) from error
    if json:
        print_json({"image": str(image), **delivery.to_json()})
    else:
        out.print(show_delivery(image, delivery))


def _send_several(images: list[Path], transmitter: str, options: SendOptions, json: bool) -> None:
    from cli.deliveries import show_deliveries  # noqa: PLC0415
    from client.client import SemLink  # noqa: PLC0415

    with SemLink(transmitter) as link:
        answers = list(link.send_many(images, ordered=True, **options))
    outcomes = [(images[answer.position], answer.outcome) for answer in answers]
    if json:
        print_json([{"image": str(image), **_as_json(outcome)} for image, outcome in outcomes])
    else:
        out.print(show_deliveries([pair for pair in outcomes if not isinstance(pair[1], SemLinkError)]))
    failures = [(image, outcome) for image, outcome in outcomes if isinstance(outcome, SemLinkError)]
    for image, error in failures:
        err.print(f"semlink: {_naming(image, error)}", style="red", markup=False, highlight=False, soft_wrap=True)
    if failures:
        wrong = all(isinstance(error, InvalidInput | NotFound) for _, error in failures)
        raise typer.Exit(2 if wrong else 1)


def _as_json(outcome: "Delivery | SemLinkError") -> dict[str, Any]:
    if isinstance(outcome, SemLinkError):
        return {"error": {"kind": type(outcome).__name__, "message": str(outcome)}}
    return outcome.to_json()


def _naming(image: Path, error: SemLinkError) -> str:
    return str(error) if str(image) in str(error) else f"{image}: {error}"
