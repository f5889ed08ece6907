"""`semlink ask`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.channel.flags import given, takes_channel_options
from cli.console import answer, out
from cli.options import HelpAll, Json, PilotFlag, Transmitter, rare, standard_pattern
from client.client import SemLink
from client.connection import TRANSMITTER
from client.options import AskOptions
from shared.errors import SemLinkError
from shared.frame.burst import Csi, Framing
from shared.frame.delivery import Delivery
from shared.frame.question import Asked
from shared.phy.conditions.settings import OF_THE_LINK
from shared.printable import printable


def _radio(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Radio")


@takes_channel_options(shown=("snr_db", "fading", "seed"), without=OF_THE_LINK)
def ask(
    picture: Annotated[Path, typer.Argument(help="A picture file. The answerer that ships knows drawn scenes.")],
    questions: Annotated[
        list[str],
        typer.Argument(
            metavar="QUESTION...",
            help='A question in plain English, such as "what colour is the heart?"; for each further one only what the '
            "receiver does not hold of the picture yet is sent.",
        ),
    ],
    *,
    bits: Annotated[int | None, _radio("Bits of the picture, positions included; 384 if left out.")] = None,
    codec: Annotated[
        str | None, _radio("uo-isc, learned, and klt-relevance send what the question is about; klt sends all alike.")
    ] = None,
    k: Annotated[int | None, rare("Real dimensions; k/2 symbols go out. By default as few as carry the bits.")] = None,
    csi: Annotated[Csi | None, _radio("CSI: what the receiver knows of the channel.")] = None,
    framing: Annotated[Framing | None, rare("How the receiver learns what a burst is; see `semlink send`.")] = None,
    retransmissions: Annotated[
        int,
        _radio(
            "Send a lost picture again, at most so often, 0 to 7; the receiver combines all that came (HARQ, Chase "
            "combining)."
        ),
    ] = 0,
    question_at_receiver: Annotated[
        bool | None,
        _radio(
            "Whether the receiver knows the question, since whoever asks sits there, or it is sent over the air in "
            "front of the picture, and counted. By default as the transmitter is set: the receiver knows it.",
            "--question-at-receiver/--question-over-air",
        ),
    ] = None,
    design_snr_db: Annotated[
        float | None, _radio("Design SNR: the average Es/N0 that the encoder assumes, dB.")
    ] = None,
    pilots: Annotated[int | None, rare("Pilot symbols, 2 to 1024.")] = None,
    pilot_pattern: PilotFlag = None,
    stream: Annotated[int | None, rare("Random stream, with --seed and --counter for replay.")] = None,
    counter: Annotated[int | None, rare("Burst counter, for replay; further questions count on.")] = None,
    top: Annotated[int, typer.Option(help="Nearest items wanted, 1 to 100.")] = 5,
    save: Annotated[
        Path | None,
        typer.Option(help="File for the rebuilt picture, PNG, as it is after the last question.", metavar="FILE.png"),
    ] = None,
    json: Json = False,
    trace: Annotated[
        bool, rare("With --json: the symbols sent, received, equalized.", "--trace", panel="Answer")
    ] = False,
    timeout: Annotated[float, rare("Seconds for each question.", panel="Answer")] = 30.0,
    transmitter: Transmitter = TRANSMITTER,
    help_all: HelpAll = False,  # noqa: ARG001 - ends the command by itself
    **settings: Any,
) -> None:
    """Send of a picture what a question is about; the receiver rebuilds it and answers.

    - `semlink ask scene.png "what colour is the heart?"`
    - `semlink ask scene.png "how many stars are there?" --bits 192 --snr-db 4 --fading rayleigh`
    - `semlink ask scene.png "is the red ring left of the blue star?" --save rebuilt.png --json`
    - `semlink ask scene.png "what colour is the heart?" "how many stars are there?"`
    - `semlink ask scene.png "what colour is the heart?" --fading rayleigh --snr-db 4 --retransmissions 3`

    The link must be up: `semlink up` starts it.
    """
    options = AskOptions(
        codec=codec, k=k, bits=bits, design_snr_db=design_snr_db, csi=csi, framing=framing, pilot_symbols=pilots,
        pilot_pattern=standard_pattern(pilot_pattern), stream=stream, counter=counter, top_k=top, trace=trace,
        timeout=timeout, follow=None, retransmissions=retransmissions,
        question_at_receiver=question_at_receiver, **given(settings),
    )  # fmt: skip
    try:
        with SemLink(transmitter) as link:
            deliveries = _asked(link, picture, questions, options)
    except SemLinkError as error:
        text = str(error) if str(picture) in str(error) else f"{picture}: {error}"
        raise type(error)(text) from error
    if save is not None:
        save.write_bytes(deliveries[-1].picture)
    documents = [{"image": str(picture), **delivery.to_json()} for delivery in deliveries]
    answer(json, documents if len(documents) > 1 else documents[0], lambda: out.print(_shown(deliveries)))


def _asked(link: SemLink, picture: Path, questions: list[str], options: AskOptions) -> list[Delivery]:
    """Ask one question after the other, in one session."""
    deliveries = [link.ask(picture, questions[0], **options)]
    further: AskOptions = {**options, "bits": None}
    for turn, question in enumerate(questions[1:], 1):
        if (counter := options["counter"]) is not None:
            further["counter"] = counter + turn * (1 + (options["retransmissions"] or 0))
        further["follow"] = deliveries[-1]
        deliveries.append(link.ask(picture, question, **further))
    return deliveries


def _shown(deliveries: list[Delivery]) -> Text:
    return Text("\n\n").join(map(_shown_one, deliveries))


def _shown_one(delivery: Delivery) -> Text:
    asked = delivery.asked
    assert asked is not None
    seconds = 1e3 * delivery.total_seconds
    answered = printable(asked.answer or f"no answer: {delivery.reason}")
    return Text("\n").join(
        (
            Text.assemble(printable(asked.question), "  ", (answered, "bold")),
            Text.assemble("on the original: ", printable(asked.answer_on_original), "  ", _verdict(asked)),
            Text(
                f"{asked.bits_in_words} in {asked.channel_uses}, cbr {delivery.cbr:.4f}, with pilots and header "
                f"{delivery.cbr_total:.4f}{_in_session(asked)}"
            ),
            *_nearest(delivery),
            Text(f"PSNR {asked.psnr_db:.1f} dB, where the question looks {asked.psnr_db_region:.1f} dB"),
            Text(f"channel {delivery.channel.snr_db_asked:g} dB, {delivery.channel.fading}; {seconds:.0f} ms"),
        )
    )


def _nearest(delivery: Delivery) -> list[Text]:
    """The item of the knowledge base that the rebuilt picture is closest to; nothing where none arrived."""
    if not delivery.confidence:
        return []
    return [Text(f"nearest item: {printable(delivery.label)} ({printable(delivery.item_id)})")]


def _in_session(asked: Asked) -> str:
    return f"; question {asked.turn}, {asked.bits_in_session} bits for all" if asked.turn > 1 else ""


def _verdict(asked: Asked) -> tuple[str, str]:
    return ("match", "green") if asked.match else ("no match", "red")
