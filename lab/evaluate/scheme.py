"""What a scheme is to the laboratory, and codecs as schemes.

    batch --encode--> symbols --chain--> x_hat, n0_eff --decode--> arrival

A sender and a receiver are two instances, as in two processes: what one keeps to itself never reaches the other.
"""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np

from lab.data.features import ClipChoice, load_choice
from lab.evaluate.cost import Cost, cost_of
from lab.simulate.chain import Chain, Headers
from lab.simulate.rounds import Sent
from receiver.decision import VOTERS, answer_first, vote
from receiver.decoder import Equalized
from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.clip import Clip
from shared.codecs import AnyCodec, Codec, Decoded, PictureCodec
from shared.codecs.base.contract import DesignFading, DesignSnr, outage_snr_db
from shared.codecs.base.picture import GREY
from shared.codecs.embedding.posterior import LabelPosterior
from shared.errors import InvalidSetting
from shared.phy.conditions.settings import FadingName
from shared.types import Bools, Embeddings, Ints, Pixels

NEIGHBOURS = 10
"""Items that a receiver finds for each burst."""
LEAST_LENGTH = 1e-12
"""An embedding that is shorter has no direction."""


class CannotExist(InvalidSetting):
    """A scheme has no form at this length: its row is kept, and says so by n = 0."""


@dataclass(frozen=True)
class Batch:
    """What a sender has.

    embeddings: [B, 512], float32, unit length. pixels: [B, H, W, 3], uint8. counters: [B], of the bursts: positions of
    the pictures among the queries, so that any order gives the same draws. snr_db: average SNR that the sender designs
    for; None for the codec's default.
    """

    embeddings: Embeddings
    pixels: Pixels
    counters: Ints
    snr_db: float | None

    def design_snr_db(self, fading: FadingName = "none") -> DesignSnr | None:
        """The design SNR of each picture: [B], float32, dB. Under fading less than the average."""
        if self.snr_db is None:
            return None
        return np.full(len(self.embeddings), outage_snr_db(self.snr_db, fading), np.float32)


@dataclass(frozen=True)
class Arrival:
    """What a receiver has, and what the scorer alone may see.

    decoded: of the whole batch. encode_seconds, decode_seconds: of the whole batch, codec alone.
    lost: [M], bool, whether each message was decoded wrongly; None for schemes without messages.
    pixels: [B, H, W, 3], uint8, decoded pictures; None for schemes that send none. found: [B, 10], positions of the
    items that the receiver chooses, best first; None for the nearest ones. sent: channel uses of each picture; None
    where that is one burst of k/2 symbols. headers: what became of the headers; None where none are on the air. A
    picture without its header is decoded to zeros.
    """

    decoded: Decoded
    encode_seconds: float
    decode_seconds: float
    lost: Bools | None = None
    pixels: Pixels | None = None
    found: Ints | None = None
    sent: Sent[Ints] | None = None
    headers: Headers | None = None


def without(arrival: Arrival, headers: Headers) -> Arrival:
    """What arrived, less the pictures whose header was not read, or was read as another one."""
    gone = headers.lost | headers.undetected
    embeddings = np.where(gone[:, None], np.float32(0), arrival.decoded.embeddings)
    pixels = arrival.pixels
    if pixels is not None:
        pixels = np.where(gone[:, None, None, None], np.uint8(GREY), pixels)
    return replace(arrival, decoded=replace(arrival.decoded, embeddings=embeddings), pixels=pixels, headers=headers)


def mode_of(sender: AnyCodec, design_snr_db: DesignSnr | None) -> int:
    """The mode in the header of a batch whose pictures have all the same design SNR, [B], dB, or none."""
    return sender.mode(np.nan if design_snr_db is None else float(design_snr_db[0]))


def expected_fading(chain: Chain) -> DesignFading:
    """What a sender knows of the channel that it sends over."""
    return "none" if chain.channel.fading == "none" else "rayleigh"


def check_joint(chain: Chain) -> None:
    """Raise CannotExist for headers in bursts that are only parts of one transmission, of pictures together."""
    if chain.framing == "explicit":
        raise CannotExist("pictures sent together have no header each: framing implicit or ideal fits them")


def check_length(kind: type[AnyCodec], k: int) -> None:
    """Raise CannotExist for a length that a codec does not have."""
    if k not in kind.lengths:
        raise CannotExist(f"codec {kind.name} has no length k = {k}; it has {', '.join(map(str, kind.lengths))}")


class Setting(NamedTuple):
    """What a receiver has beside the air. name: of the scheme.

    choice: the CLIP model that embeds decoded pictures. items: [M, 512], float32, its knowledge base; labels: [M], of
    each item.
    """

    name: str
    choice: ClipChoice
    items: Embeddings
    labels: Ints

    @property
    def clip(self) -> Clip:
        """The model, loaded once for each process."""
        return load_choice(self.choice)


class Scheme(Protocol):
    """A way to send pictures.

    k: real dimensions of a payload. lengths: k reached by each round; k alone without rounds. fingerprint: of all that
    its results depend on. genie: what it gives its receiver beyond the received symbols and what CSI says.
    """

    k: int
    lengths: tuple[int, ...]
    fingerprint: str
    genie: tuple[str, ...]

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of both halves for one picture."""

    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """Send a batch of pictures."""


class CodecScheme:
    """A codec of `shared.codecs`, or one of your own; its receiver takes the nearest item."""

    genie: tuple[str, ...] = ()

    def __init__(self, sender: Codec | PictureCodec, receiver: Codec | PictureCodec) -> None:
        """sender, receiver: two instances of one codec."""
        self.k = sender.k
        self.lengths: tuple[int, ...] = (sender.k,)
        self._sender, self._receiver = sender, receiver
        self.fingerprint, self.clip_fingerprint = sender.fingerprint, sender.clip_fingerprint

    @property
    def cost(self) -> Cost:
        """See `Scheme.cost`."""
        return cost_of(self._sender)

    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """See `Scheme.send`."""
        sender, given = self._sender.for_fading(expected_fading(chain)), self._given(batch)
        expected = self._expected(batch, chain)
        start = perf_counter()
        x = sender.encode(given, expected)
        encode_seconds = perf_counter() - start
        receiver = self._receiver.with_mode(mode_of(sender, expected))
        equalized = chain.carry(x, batch.counters, receiver.equalizer)
        arrival = replace(self._arrival(receiver, batch, equalized), encode_seconds=encode_seconds)
        return arrival if equalized.headers is None else without(arrival, equalized.headers)

    def _given(self, batch: Batch) -> Any:
        """What the codec encodes."""
        return batch.embeddings

    def _expected(self, batch: Batch, chain: Chain) -> DesignSnr | None:
        """The design SNR."""
        return batch.design_snr_db(chain.channel.fading)

    def _arrival(self, receiver: AnyCodec, batch: Batch, equalized: Equalized) -> Arrival:
        assert isinstance(receiver, Codec)
        start = perf_counter()
        decoded = receiver.decode(equalized.x_hat, equalized.n0_eff)
        seconds = perf_counter() - start
        lost = self._lost(receiver, batch, decoded)
        return Arrival(decoded, 0.0, seconds, lost, found=self._found(decoded, equalized))

    def _found(self, decoded: Decoded, equalized: Equalized) -> Ints | None:  # noqa: ARG002 - for other decisions
        """See `Arrival.found`."""
        return None

    def _lost(self, receiver: Codec, batch: Batch, decoded: Decoded) -> Bools | None:
        """Whether the category that was sent is not the likeliest at the receiver: [B]."""
        sent = None if decoded.log_posterior is None else receiver.categories(batch.embeddings)
        if decoded.log_posterior is None or sent is None:
            return None
        lost: Bools = decoded.log_posterior.argmax(axis=1) != sent.argmax(axis=1)
        return lost


class VotingScheme(CodecScheme):
    """A codec whose receiver lets the nearest items vote, as a live receiver does for codecs without categories."""

    def __init__(self, sender: Codec, receiver: Codec, items: Embeddings, labels: Ints) -> None:
        """items, labels: see `Setting`."""
        super().__init__(sender, receiver)
        self._items, self._labels = items, labels

    def _found(self, decoded: Decoded, equalized: Equalized) -> Ints:
        """See `elected`."""
        return elected(decoded, equalized, self._items, self._labels)


def elected(decoded: Decoded, equalized: Equalized, items: Embeddings, labels: Ints) -> Ints:
    """The answer of the vote, then the others, nearest first: positions [B, 10] of items [M, D] with labels [M]."""
    e_hat = np.nan_to_num(decoded.embeddings).astype(np.float64)
    unit = e_hat / np.maximum(np.linalg.norm(e_hat, axis=1, keepdims=True), LEAST_LENGTH)
    positions, squared = exact_nearest(items, unit.astype(np.float32), VOTERS)
    ballot = vote(labels[positions], squared, equalized.n0)
    return answer_first(ballot, positions, squared, NEIGHBOURS)[0]


class FusedScheme(CodecScheme):
    """A codec with categories, whose receiver fuses what it says of category and embedding."""

    def __init__(self, sender: Codec, receiver: Codec, items: Embeddings, labels: Ints) -> None:
        """items, labels: see `Setting`. Raises InvalidSetting for a codec without categories."""
        log_categories = receiver.categories(items)
        if log_categories is None:
            raise InvalidSetting(
                f"codec {receiver.name} has no categories to fuse: decision = 'nearest' or 'vote' fits it"
            )
        self._items, self._labels = items, labels
        self._fusion = LabelPosterior(log_categories, items, labels)
        super().__init__(sender, receiver.with_prior(self._fusion.log_prior))

    def _found(self, decoded: Decoded, equalized: Equalized) -> Ints:
        """The items of highest score; of a vote where no category came."""
        if decoded.log_posterior is None:
            return elected(decoded, equalized, self._items, self._labels)
        return self._fusion.rank(decoded, NEIGHBOURS)[0]
