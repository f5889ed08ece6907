"""`semlink send`."""

import sys
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from cli.channel.flags import given, takes_channel_options
from cli.console import answer, complain, error_json, out, status_of
from cli.deliveries import image_name, show_deliveries, show_delivery
from cli.embeddings import embeddings_in
from cli.options import (
    ASK_FOR_MORE_HELP,
    CERTAINTY_HELP,
    CODEC_HELP,
    HelpAll,
    Json,
    PilotFlag,
    ReceiverAt,
    Transmitter,
    rare,
    standard_pattern,
)
from cli.sheet import Pair, draw_sheet, open_sheet, show_sheet
from client.client import SemLink
from client.connection import RECEIVER, TRANSMITTER
from client.knowledge_base import KnowledgeBaseClient
from client.options import SendOptions
from client.pictures import MAX_PICTURE_BYTES, picture_bytes
from shared.errors import InvalidPicture, InvalidSetting, SemLinkError
from shared.frame.burst import Csi, Framing
from shared.frame.delivery import Delivery, ReadyEmbedding
from shared.phy.conditions.settings import OF_THE_LINK

_STDIN = "-"


def _option(panel: str, text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


class _Named(NamedTuple):
    """A picture as the user named it, and what the client sends: its path, bytes of standard input, an embedding."""

    name: str
    content: str | bytes | ReadyEmbedding


@dataclass(frozen=True)
class _Drawing:
    """The answers as a picture: written to a file, opened in a viewer, shown in the terminal."""

    receiver: str
    save: Path | None
    _: KW_ONLY
    opened: bool
    shown: bool

    @property
    def wanted(self) -> bool:
        """Whether anything is to be drawn."""
        return bool(self.save or self.opened or self.shown)

    def draw(self, sent: list[tuple[_Named, Delivery]]) -> None:
        """Draw what was sent beside the thumbnails of what was retrieved."""
        if not sent or not self.wanted:
            return
        with KnowledgeBaseClient(self.receiver) as knowledge_base:
            pairs = [
                Pair(
                    image_name(picture.name),
                    picture_bytes(picture.content),
                    delivery,
                    knowledge_base.get_item(delivery.item_id).thumbnail,
                )
                for picture, delivery in sent
            ]
        sheet = draw_sheet(pairs)
        if self.save is not None:
            sheet.save(self.save)
            complain(f"wrote {self.save}", "dim")
        if self.opened:
            open_sheet(sheet, self.save)
        if self.shown:
            show_sheet(sheet)


@takes_channel_options(shown=("snr_db", "fading", "seed"), without=OF_THE_LINK)
def send(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="Picture files: JPEG, PNG, WebP ...; - for standard input."),
    ] = None,
    *,
    embedding: Annotated[
        Path | None,
        rare("Instead of pictures: ready embeddings, .npy, .npz or .parquet.", metavar="FILE.npy", panel="Embeddings"),
    ] = None,
    clip_fingerprint: Annotated[
        str | None,
        rare("Of the CLIP that made them, if the file does not say it.", metavar="HEX", panel="Embeddings"),
    ] = None,
    codec: Annotated[str | None, _option("Radio", CODEC_HELP)] = None,
    k: Annotated[
        int | None, _option("Radio", "Real dimensions; k/2 symbols go out. With --ask-for-more: of the first round.")
    ] = None,
    csi: Annotated[Csi | None, _option("Radio", "CSI: what the receiver knows of the channel.")] = None,
    ask_for_more: Annotated[bool, _option("Radio", f"{ASK_FOR_MORE_HELP} Codec nested.", "--ask-for-more")] = False,
    framing: Annotated[
        Framing | None,
        rare(
            "How the receiver learns what a burst is: implicit, configured before; explicit, by a coded header, which "
            "can be lost; ideal, a genie."
        ),
    ] = None,
    design_snr_db: Annotated[float | None, rare("Design SNR: the average Es/N0 that the encoder assumes, dB.")] = None,
    certainty: Annotated[float | None, rare(CERTAINTY_HELP)] = None,
    k_max: Annotated[int | None, rare("Length at which HARQ stops; else the longest.")] = None,
    pilots: Annotated[int | None, rare("Pilot symbols, 2 to 1024.")] = None,
    pilot_pattern: PilotFlag = None,
    stream: Annotated[int | None, rare("Random stream, with --seed and --counter for replay.")] = None,
    counter: Annotated[int | None, rare("Burst counter of the first picture and its first round, for replay.")] = None,
    top: Annotated[int, _option("Answer", "Nearest items wanted, 1 to 100.")] = 5,
    save: Annotated[
        Path | None,
        _option("Answer", "Write the sent and the retrieved picture side by side.", metavar="FILE.png"),
    ] = None,
    opened: Annotated[bool, _option("Answer", "Show them in the picture viewer.", "--open")] = False,
    shown: Annotated[bool, _option("Answer", "Show them in the terminal.", "--show")] = False,
    json: Json = False,
    trace: Annotated[
        bool, rare("With --json: the symbols sent, received, equalized.", "--trace", panel="Answer")
    ] = False,
    timeout: Annotated[float, rare("Seconds for each picture.", panel="Answer")] = 30.0,
    transmitter: Transmitter = TRANSMITTER,
    receiver: ReceiverAt = RECEIVER,
    help_all: HelpAll = False,  # noqa: ARG001 - ends the command by itself
    **settings: Any,
) -> None:
    """Send pictures over the link and show the receiver's answers.

    - `semlink send cat.jpg`
    - `semlink send cat.jpg --snr-db 0 --fading rayleigh` — through a bad channel
    - `semlink send cat.jpg --snr-db 0 --save answer.png` — what was sent and what was found, side by side
    - `semlink send *.png --k 16 --json` — one JSON array; a single picture gives one object
    - `curl -L URL | semlink send -` — from standard input
    - `semlink send cat.jpg --codec webp-ldpc --snr-db 10 --design-snr-db 10` — as a WebP file, for comparison
    - `semlink send cat.jpg --seed 7 --stream 1 --counter 3` — the same noise every time
    - `semlink send cat.jpg --fading rayleigh --set coherence_symbols=16 --pilot-pattern scattered --pilots 32`
    - `semlink send cat.jpg --ask-for-more --certainty 0.95` — only as many symbols as it takes
    - `semlink send --embedding e.npy --clip-fingerprint 88f5e606cf4b5f2b` — no picture: no CLIP runs

    The link must be up: `semlink up` starts it. Settings of the channel hold for these pictures alone;
    `semlink channel set` changes them for all. `--help-all` lists every option.
    """
    options = SendOptions(
        codec=codec, k=k, design_snr_db=design_snr_db, csi=csi, framing=framing, pilot_symbols=pilots,
        pilot_pattern=standard_pattern(pilot_pattern), stream=stream, counter=counter, top_k=top, trace=trace,
        timeout=timeout, ask_for_more=ask_for_more, certainty=certainty, k_max=k_max, **given(settings),
    )  # fmt: skip
    drawn = _Drawing(receiver, save, opened=opened, shown=shown and not json)
    pictures = _to_send(images or [], embedding, clip_fingerprint, drawn)
    (_send_one if len(pictures) == 1 else _send_several)(pictures, transmitter, options, drawn, json)


def _to_send(images: list[str], embedding: Path | None, clip_fingerprint: str | None, drawn: _Drawing) -> list[_Named]:
    """Pictures, or the embeddings of a file."""
    if embedding is None:
        if not images or clip_fingerprint is not None:
            raise InvalidSetting("give picture files, or --embedding FILE.npy (with --clip-fingerprint) in their place")
        return [_Named(image, _standard_input() if image == _STDIN else image) for image in _checked(images)]
    if images or drawn.wanted:
        raise InvalidSetting("--embedding sends no picture: leave pictures, --save, --open and --show out")
    return [_Named(name, given) for name, given in embeddings_in(embedding, clip_fingerprint)]


def _checked(images: list[str]) -> list[str]:
    if images.count(_STDIN) > 1:
        raise InvalidSetting("standard input holds one picture; name - once")
    return images


def _standard_input() -> bytes:
    if sys.stdin.isatty():
        raise InvalidPicture("standard input is the terminal; pipe a picture in: `cat cat.jpg | semlink send -`")
    data = sys.stdin.buffer.read(MAX_PICTURE_BYTES + 1)
    if not data:
        raise InvalidPicture("standard input is empty; pipe the bytes of a picture in")
    return data


def _send_one(pictures: list[_Named], at: str, options: SendOptions, drawn: _Drawing, json: bool) -> None:
    (picture,) = pictures
    try:
        with SemLink(at) as link:
            delivery = link.send(picture.content, **options)
    except SemLinkError as error:
        raise type(error)(_naming(picture.name, error)) from error
    document = {"image": picture.name, **delivery.to_json()}
    answer(json, document, lambda: out.print(show_delivery(picture.name, delivery)))
    drawn.draw([(picture, delivery)])


def _send_several(pictures: list[_Named], at: str, options: SendOptions, drawn: _Drawing, json: bool) -> None:
    contents = [picture.content for picture in pictures]
    with SemLink(at) as link:
        outcomes = [
            (pictures[sent.position], sent.outcome) for sent in link.send_many(contents, ordered=True, **options)
        ]
    document = [
        {"image": picture.name} | (error_json(outcome) if isinstance(outcome, SemLinkError) else outcome.to_json())
        for picture, outcome in outcomes
    ]
    answer(json, document, lambda: out.print(show_deliveries((picture.name, outcome) for picture, outcome in outcomes)))
    drawn.draw([(picture, outcome) for picture, outcome in outcomes if isinstance(outcome, Delivery)])
    failures = [(picture, outcome) for picture, outcome in outcomes if isinstance(outcome, SemLinkError)]
    for picture, error in failures:
        complain(f"semlink: {_naming(picture.name, error)}", "red")
    if failures:
        raise typer.Exit(min(status_of(error) for _, error in failures))


def _naming(image: str, error: SemLinkError) -> str:
    return str(error) if image in str(error) else f"{image_name(image, folders=True)}: {error}"
