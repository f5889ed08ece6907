"""`semlink send`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.channel.flags import given, takes_channel_options
from cli.console import answer, complain, error_json, out, status_of
from cli.deliveries import show_deliveries, show_delivery
from cli.options import ASK_FOR_MORE_HELP, CERTAINTY_HELP, CODEC_HELP, Json, PilotFlag, Transmitter, standard_pattern
from client.client import SemLink
from client.connection import TRANSMITTER
from client.options import SendOptions
from shared.errors import SemLinkError
from shared.frame.burst import Csi, Framing


def _radio(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Radio")


@takes_channel_options
def send(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files: JPEG, PNG, WebP ...")],
    *,
    codec: Annotated[str | None, _radio(CODEC_HELP)] = None,
    k: Annotated[
        int | None, _radio("Real dimensions; k/2 symbols go out. With --ask-for-more: of the first round.")
    ] = None,
    design_snr_db: Annotated[
        float | None, _radio("Design SNR: the average Es/N0 that the encoder assumes, dB.")
    ] = None,
    ask_for_more: Annotated[bool, _radio(f"{ASK_FOR_MORE_HELP} Codec nested.", "--ask-for-more")] = False,
    certainty: Annotated[float | None, _radio(CERTAINTY_HELP)] = None,
    k_max: Annotated[int | None, _radio("Length at which HARQ stops; else the longest.")] = None,
    csi: Annotated[Csi | None, _radio("CSI: what the receiver knows of the channel.")] = None,
    framing: Annotated[
        Framing | None,
        _radio(
            "How the receiver learns what a burst is: implicit, configured before; explicit, by a coded header, which "
            "can be lost; ideal, a genie."
        ),
    ] = None,
    pilots: Annotated[int | None, _radio("Pilot symbols, 2 to 1024.")] = None,
    pilot_pattern: PilotFlag = None,
    stream: Annotated[int | None, _radio("Random stream, with --seed and --counter for replay.")] = None,
    counter: Annotated[
        int | None, _radio("Burst counter of the first picture and its first round, for replay.")
    ] = None,
    top: Annotated[int, typer.Option(help="Nearest items wanted, 1 to 100.")] = 5,
    trace: Annotated[bool, typer.Option("--trace", help="With --json: the symbols sent, received, equalized.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for each picture.")] = 30.0,
    transmitter: Transmitter = TRANSMITTER,
    json: Json = False,
    **settings: Any,
) -> None:
    """Send pictures over the link and show the receiver's answers.

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
        codec=codec, k=k, design_snr_db=design_snr_db, csi=csi, framing=framing, pilot_symbols=pilots,
        pilot_pattern=standard_pattern(pilot_pattern), stream=stream, counter=counter, top_k=top, trace=trace,
        timeout=timeout, ask_for_more=ask_for_more, certainty=certainty, k_max=k_max, **given(settings),
    )  # fmt: skip
    if len(images) == 1:
        _send_one(images[0], transmitter, options, json)
    else:
        _send_several(images, transmitter, options, json)


def _send_one(image: Path, transmitter: str, options: SendOptions, json: bool) -> None:
    try:
        with SemLink(transmitter) as link:
            delivery = link.send(image, **options)
    except SemLinkError as error:
        raise type(error)(_naming(image, error)) from error
    document = {"image": str(image), **delivery.to_json()}
    answer(json, document, lambda: out.print(show_delivery(image, delivery)))


def _send_several(images: list[Path], transmitter: str, options: SendOptions, json: bool) -> None:
    with SemLink(transmitter) as link:
        outcomes = [(images[sent.position], sent.outcome) for sent in link.send_many(images, ordered=True, **options)]
    document = [
        {"image": str(image)} | (error_json(outcome) if isinstance(outcome, SemLinkError) else outcome.to_json())
        for image, outcome in outcomes
    ]
    answer(json, document, lambda: out.print(show_deliveries(outcomes)))
    failures = [(image, outcome) for image, outcome in outcomes if isinstance(outcome, SemLinkError)]
    for image, error in failures:
        complain(f"semlink: {_naming(image, error)}", "red")
    if failures:
        raise typer.Exit(min(status_of(error) for _, error in failures))


def _naming(image: Path, error: SemLinkError) -> str:
    return str(error) if str(image) in str(error) else f"{image}: {error}"
