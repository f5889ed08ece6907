"""What a scheme is to the laboratory, and codecs as schemes.

    batch --encode--> symbols --air--> x_hat, n0_eff --decode--> arrival

A sender and a receiver are two instances, as in two processes: what one keeps to itself never reaches the other.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np

from lab.data.features import ClipChoice, load_choice
from lab.evaluate.cost import Cost, cost_of
from lab.simulate.air import Air
from receiver.decision import VOTERS, answer_first, vote
from receiver.decoder import Equalized
from receiver.knowledge_base.index.exact_search import exact_nearest
from shared.clip import Clip
from shared.codecs import AnyCodec, Codec, Decoded
from shared.codecs.base.contract import DesignFading, DesignSnr
from shared.codecs.base.design_snr import outage_snr_db
from shared.codecs.embedding.posterior import LabelPosterior
from shared.errors import InvalidSetting
from shared.phy.conditions.settings import FadingName
from shared.types import Bools, Floats, Ints, Pixels

NEIGHBOURS = 10
"""Items that a receiver finds for each burst."""
LEAST_LENGTH = 1e-12
"""An embedding that is shorter has no direction."""


class CannotExist(InvalidSetting):
    """A scheme has no form at this length: its row is kept, and says so by n = 0."""


@dataclass(frozen=True)
class Batch:
    """What a sender has.

    embeddings: [B, 512], float32, unit length. pixels: [B, H, W, 3], uint8. snr_db: average SNR that it is told of;
    None for nothing.
    """

    embeddings: Floats
    pixels: Pixels
    snr_db: float | None

    def operating_point(self, fading: FadingName = "none") -> DesignSnr | None:
        """What codecs are told to expect for each picture: [B], float32, dB. Under fading less than the average."""
        if self.snr_db is None:
            return None
        return np.full(len(self.embeddings), outage_snr_db(self.snr_db, fading), np.float32)


@dataclass(frozen=True)
class Arrival:
    """What a receiver has, and what the judge alone may see.

    decoded: of the whole batch. encode_seconds, decode_seconds: of the whole batch, codec alone.
    lost: [M], bool, whether each message was decoded wrongly; None for schemes without messages.
    pixels: [B, H, W, 3], uint8, decoded pictures; None for schemes that send none. found: [B, 10], positions of the
    items that the receiver chooses, best first; None for the nearest ones. payload_symbols, bursts: [B], what was sent
    of each picture; None where that is k/2 symbols in one burst.
    """

    decoded: Decoded
    encode_seconds: float
    decode_seconds: float
    lost: Bools | None = None
    pixels: Pixels | None = None
    found: Ints | None = None
    payload_symbols: Ints | None = None
    bursts: Ints | None = None


def mode_of(sender: AnyCodec, told: DesignSnr | None) -> int:
    """The mode in the header of a batch whose pictures have all the same operating point, [B], dB, or none."""
    return sender.mode(np.nan if told is None else float(told[0]))


def expected_fading(air: Air) -> DesignFading:
    """What a sender knows of the channel that it sends over."""
    return "none" if air.channel.fading == "none" else "rayleigh"


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
    items: Floats
    labels: Ints

    @property
    def clip(self) -> Clip:
        """The model, loaded once for each process."""
        return load_choice(self.choice)


class Scheme(Protocol):
    """A way to send pictures.

    k: real dimensions of a payload. fingerprint: of all that its results depend on. genie: what it gives its receiver
    beyond the received symbols and what CSI says.
    """

    k: int
    fingerprint: str
    genie: tuple[str, ...]

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of both halves for one picture."""

    def send(self, batch: Batch, air: Air) -> Arrival:
        """Send a batch of pictures."""


class CodecScheme:
    """A codec of `shared.codecs`, or one of your own; its receiver takes the nearest item."""

    def __init__(self, kind: type[Codec], k: int, device: str = "cpu") -> None:
        check_length(kind, k)
        self.k = k
        self.genie: tuple[str, ...] = ()
        self._sender, self._receiver = kind.load(k, device), kind.load(k, device)
        self.fingerprint, self.clip_fingerprint = self._sender.fingerprint, self._sender.clip_fingerprint

    @property
    def cost(self) -> Cost:
        """See `Scheme.cost`."""
        return cost_of(self._sender)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """See `Scheme.send`."""
        sender = self._sender.for_fading(expected_fading(air))
        told = self._told(batch, air)
        start = perf_counter()
        x = sender.encode(batch.embeddings, told)
        encode_seconds = perf_counter() - start
        receiver = self._receiver.with_mode(mode_of(sender, told))
        equalized = air.carry(x, receiver.equalizer)
        start = perf_counter()
        decoded = receiver.decode(equalized.x_hat, equalized.n0_eff)
        decode_seconds = perf_counter() - start
        lost, found = self._lost(receiver, batch, decoded), self._found(decoded, equalized)
        return Arrival(decoded, encode_seconds, decode_seconds, lost, found=found)

    def _told(self, batch: Batch, air: Air) -> DesignSnr | None:
        """What the sender expects of the channel."""
        return batch.operating_point(air.channel.fading)

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

    def __init__(self, kind: type[Codec], k: int, setting: Setting) -> None:
        super().__init__(kind, k)
        self._items, self._labels = setting.items, setting.labels

    def _found(self, decoded: Decoded, equalized: Equalized) -> Ints:
        """The answer of the vote, then the others, nearest first."""
        e_hat = np.nan_to_num(decoded.embeddings).astype(np.float64)
        unit = e_hat / np.maximum(np.linalg.norm(e_hat, axis=1, keepdims=True), LEAST_LENGTH)
        positions, squared = exact_nearest(self._items, unit.astype(np.float32), VOTERS)
        ballot = vote(self._labels[positions], squared, 10 ** (-equalized.snr_db / 10))
        return answer_first(ballot, positions, squared, NEIGHBOURS)[0]


class FusedScheme(CodecScheme):
    """A codec with categories, whose receiver fuses what it says of category and embedding."""

    def __init__(self, kind: type[Codec], k: int, setting: Setting) -> None:
        super().__init__(kind, k)
        if self._receiver.categories(setting.items[:1]) is None:
            raise InvalidSetting(f"codec {kind.name} has no categories to fuse: decision = 'nearest' or 'vote' fits it")
        self._fusion = LabelPosterior(self._receiver, setting.items, setting.labels)
        self._receiver = self._receiver.with_prior(self._fusion.log_prior)

    def _found(self, decoded: Decoded, equalized: Equalized) -> Ints:  # noqa: ARG002
        """The items of highest score."""
        return self._fusion.rank(decoded, NEIGHBOURS)[0]
