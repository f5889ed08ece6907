"""What sends at a point of `semlink evaluate ask`, and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from lab.evaluate.ask import rivals
from lab.evaluate.ask.measures import Found
from lab.evaluate.ask.points import HARQ, LENGTHENED, LONG, RETRANSMITTED, RETRIEVED, SYMBOLS, UNCODED, AskLab, AskPoint
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.schemes import Remembered, error_free, in_parts, over
from lab.evaluate.ask.symbols import list_and_draw
from lab.simulate.chain import PILOTS, Chain, channel_chain
from shared.binary import to_bits
from shared.codecs.base.contract import DesignFading
from shared.codecs.base.picture import ASKED_SIDE as SIDE
from shared.codecs.base.picture import GREY
from shared.codecs.digital.modem import MIN_BITS, Mode, modem_of
from shared.codecs.embedding.nested import Nested
from shared.codecs.picture.ldpc import CRC_BITS, checked, with_crc
from shared.codecs.query.klt import BlockLdpc, BlockSource, Klt, KltRelevance
from shared.codecs.query.source import Source, SourceCodec
from shared.codecs.query.uncoded import KltRelevance8Psk, UncodedPsk, UoIsc8Psk
from shared.codecs.query.uo_isc import UoIsc
from shared.errors import NotFound
from shared.frame.burst import IDEAL_HEADER_SYMBOLS
from shared.phy import ChannelSettings
from shared.types import Bools, Embeddings, Pixels

VALUES: Final = 3 * SIDE * SIDE
_LIST_BITS: Final = 96
_ANSWER_SYMBOLS: Final = 16
_NESTED_K: Final = 256
_CODED: Final[dict[str, type[BlockLdpc]]] = {kind.name: kind for kind in (KltRelevance, Klt, UoIsc)}
_UNCODED: Final[dict[str, type[UncodedPsk]]] = {
    "klt-relevance-8psk": KltRelevance8Psk, "uo-isc-8psk": UoIsc8Psk, "uo-isc-channel-8psk": UoIsc8Psk,
}  # fmt: skip
_FILES: Final = ("webp", "jpeg2000", "hevc")


@dataclass(frozen=True)
class Sent:
    """pixels: of each question [Q, 64, 64, 3]; None without pictures. bits: mean. symbols: of the payload, 0 for bits
    without errors. exists: share of the pictures that could be sent at all. transmissions: mean number of bursts.
    """

    pixels: Pixels | None
    bits: float
    symbols: int = 0
    exists: float = 1.0
    transmissions: float = 1.0

    @property
    def k(self) -> int:
        """Real dimensions of a burst."""
        return 2 * self.symbols

    @property
    def cbr(self) -> float:
        """Symbols for each value of a picture, of all bursts."""
        return self.transmissions * self.symbols / VALUES

    @property
    def cbr_total(self) -> float:
        """The same with pilots and header."""
        return self.transmissions * (self.symbols + PILOTS + IDEAL_HEADER_SYMBOLS) / VALUES if self.symbols else 0.0


def sent_at(lab: AskLab, exam: Exam, point: AskPoint) -> Sent:
    """What the receiver gets at a point."""
    return _without_errors(lab, exam, point) if point.snr_db is None else _on_air(lab, exam, point, point.snr_db)


def answers_sent(exam: Exam, point: AskPoint) -> tuple[Found, Sent]:
    """The answer as a number of 5 bits, coded into 16 QPSK symbols; there is no picture to be wrong about."""
    right = np.ones(len(exam.texts), np.bool_)
    if point.snr_db is not None:
        modem = modem_of(Mode(MIN_BITS, 2), _ANSWER_SYMBOLS)
        bits = to_bits(exam.judge[:, None], MIN_BITS)
        arrived = _channel(point).carry(modem.modulate(bits), np.arange(len(bits)), "zf")
        right = (modem.demodulate(arrived.x_hat, arrived.n0_eff) == bits).all(1)
    none = np.full(len(right), np.nan)
    same_answer = exam.judge == exam.witness
    told = Found(
        right, right & same_answer, right & (exam.judge == exam.asked.answer),
        right & (exam.judge == exam.asked.answer), np.zeros(0, np.bool_), none, none, none,
    )  # fmt: skip
    return told, Sent(None, 5, 0 if point.snr_db is None else _ANSWER_SYMBOLS)


def _without_errors(lab: AskLab, exam: Exam, point: AskPoint) -> Sent:
    scheme, bits = point.scheme, point.bits
    schemes = error_free(lab.code, lab.judge, lab.tokens, lab.ablations)
    if scheme in schemes:
        return Sent(in_parts(lambda asked: schemes[scheme](asked, bits), exam.originals()), bits)
    if scheme == SYMBOLS:
        drawn, mean = list_and_draw(lab.judge, exam.pixels)
        return Sent(drawn[exam.asked.scene], mean)
    if scheme == RETRIEVED:
        query, known, items = rivals.retrieved(exam)
        return Sent(_nearest(query, known, items)[exam.asked.scene], 32 * query.shape[1])
    shown = _rival(scheme)(exam, bits)
    return Sent(shown.pixels, shown.bits, 0, shown.exists)


def _rival(scheme: str) -> Callable[[Exam, int], rivals.Shown]:
    own = {"downscaled": rivals.downscaled, "hevc-crop": rivals.hevc_crop}
    if scheme in own:
        return own[scheme]
    if scheme not in _FILES:
        raise NotFound(f"no scheme {scheme!r}; there are {', '.join((*own, *_FILES))} and those of `points`")
    return rivals.as_files(scheme)


def _on_air(lab: AskLab, exam: Exam, point: AskPoint, snr_db: float) -> Sent:
    if point.scheme == SYMBOLS:
        return _symbols_on_air(lab, exam, point, snr_db)
    if point.scheme == RETRIEVED:
        return _retrieved_on_air(exam, point, snr_db)
    scheme = point.scheme.removesuffix(HARQ).removesuffix(LONG)
    repeats = RETRANSMITTED if point.scheme.endswith(HARQ) else 0
    fading, source = _design(point), _source(lab, scheme.removesuffix(UNCODED))
    codec: SourceCodec
    if scheme in _CODED:
        kind = _CODED[scheme]
        length = kind.length_for(point.bits, snr_db, fading)
        if point.scheme.endswith(LONG):
            length = next((k for k in kind.lengths if k >= LENGTHENED * length), kind.lengths[-1])
        codec = kind(length, source, lab.adaptation).for_fading(fading)
    else:
        uncoded = _UNCODED[scheme]
        codec = uncoded(uncoded.length_for(point.bits, snr_db, fading), source)
    codec = codec.with_bits(point.bits, 1 + repeats)
    pixels, transmissions = over(codec, _channel(point), snr_db, exam.originals(), repeats)
    return Sent(pixels, codec.payload_bits(codec.mode(snr_db)), codec.symbols, transmissions=transmissions)


def _symbols_on_air(lab: AskLab, exam: Exam, point: AskPoint, snr_db: float) -> Sent:
    """The list in 96 bits, which are others here: whether they arrive does not depend on what they say."""
    drawn, _ = list_and_draw(lab.judge, exam.pixels)
    codec = Klt(Klt.length_for(_LIST_BITS, snr_db, _design(point)), BlockSource(lab.code, None), lab.adaptation)
    codec = codec.for_fading(_design(point)).with_bits(_LIST_BITS)
    number = codec.mode(snr_db)
    modem = modem_of(Mode(codec.payload_bits(number) + CRC_BITS, codec.order(number)), codec.symbols)
    listed = np.random.default_rng(0).integers(0, 2, (len(exam.texts), codec.payload_bits(number)), np.uint8)
    x = modem.modulate(with_crc(listed))
    x = x / np.sqrt((np.abs(x) ** 2).mean(1, keepdims=True))
    arrived = _channel(point).carry(x.astype(np.complex64), np.arange(len(x)), "zf")
    right: Bools = checked(modem.demodulate(arrived.x_hat, arrived.n0_eff))[1]
    pixels = np.where(right[:, None, None, None], drawn[exam.asked.scene], np.uint8(GREY))
    return Sent(pixels, _LIST_BITS, codec.symbols)


def _retrieved_on_air(exam: Exam, point: AskPoint, snr_db: float) -> Sent:
    """The embedding by `nested`, one burst for each question; the receiver shows the nearest item."""
    query, known, items = rivals.retrieved(exam)
    codec = Nested.load(_NESTED_K, "cpu")
    x = codec.encode(query[exam.asked.scene], np.full(len(exam.texts), snr_db, np.float32))
    arrived = _channel(point).carry(x, np.arange(len(x)), codec.equalizer)
    receiver = codec.with_mode(codec.mode(snr_db))
    return Sent(_nearest(receiver.decode(arrived.x_hat, arrived.n0_eff).embeddings, known, items), 0, codec.symbols)


def _nearest(query: Embeddings, known: Embeddings, items: Pixels) -> Pixels:
    found: Pixels = items[(query @ known.T).argmax(1)]
    return found


@lru_cache(maxsize=4)
def _source(lab: AskLab, kind: str) -> Source:
    """kind: uo-isc or one of its trainings, klt-relevance or klt."""
    if kind.startswith(UoIsc.name):
        return Remembered(lab.ablations.get(kind, lab.tokens))
    return Remembered(BlockSource(lab.code, None if kind == Klt.name else lab.judge))


def _design(point: AskPoint) -> DesignFading:
    return "none" if point.fading == "none" else "rayleigh"


def _channel(point: AskPoint) -> Chain:
    assert point.snr_db is not None
    return channel_chain(ChannelSettings(snr_db=point.snr_db, fading=point.fading))
