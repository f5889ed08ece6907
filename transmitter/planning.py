"""How one picture is sent: the request, with the transmitter's defaults where it says nothing.

request --codec of each length, CSI, pilots, framing--> plan --what the receiver must know before--> configuration
"""

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from shared.codecs import AnyCodec, CodecShelf, FollowingCodec, QueryCodec
from shared.codecs.base.contract import outage_snr_db
from shared.datasets.scenes.words import to_words
from shared.errors import InvalidSetting, Mismatch, NotFound
from shared.frame.burst import CodecSpec, Csi, Framing, LinkConfiguration
from shared.frame.delivery import Harq, SendRequest
from shared.frame.header import NO_HEADER, header_class
from shared.frame.question import ASKED_BITS, RETRANSMISSIONS, Question
from shared.frame.question_field import question_symbols
from shared.phy import PilotPattern
from transmitter.harq import required_posteriors
from transmitter.settings import TransmitterSettings

_ASK_CODEC = "uo-isc"
_FEWEST_BITS, _MOST_BITS = 64, 8192


class Round(NamedTuple):
    """One burst of a picture: payload symbols from `offset` on, up to the length of a codec.

    required_posterior: see `Burst`. number: of the HARQ round. attempt: transmission of the same block
    """

    codec: AnyCodec
    offset: int
    required_posterior: float
    number: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How one picture is sent, defaults filled in.

    codecs: of the lengths to reach, one burst for each. retransmissions: of the one burst, at most. question_symbols:
    of the question in front of the picture; 0 where the receiver knows it, or none is asked
    """

    codecs: tuple[AnyCodec, ...]
    harq: Harq | None
    csi: Csi
    pilot_symbols: int
    pilot_pattern: PilotPattern
    framing: Framing
    retransmissions: int = 0
    question_symbols: int = 0

    @property
    def rounds(self) -> list[Round]:
        """All bursts that may be sent, in their order."""
        codecs = self.codecs
        if len(codecs) == 1:
            return [Round(codecs[0], 0, 0.0, attempt=attempt) for attempt in range(1 + self.retransmissions)]
        ends = (0, *(codec.symbols for codec in codecs))
        parts = zip(codecs, pairwise(ends), self.posteriors, strict=True)
        return [Round(codec, start, required, number) for number, (codec, (start, _), required) in enumerate(parts)]

    @property
    def in_session(self) -> bool:
        """Whether the receiver keeps anything between bursts."""
        return self.harq is not None or self.retransmissions > 0 or isinstance(self.codecs[-1], FollowingCodec)

    @property
    def genies(self) -> tuple[str, ...]:
        """What the receiver is given that a real one would not have."""
        csi = ("perfect_csi", "known_snr") if self.csi == "perfect" else ()
        return (*csi, "ideal_header") if self.framing == "ideal" else csi

    @property
    def posteriors(self) -> list[float]:
        """The required posterior of each round."""
        return required_posteriors(
            self.harq.required_posterior if self.harq else 0.0, [codec.symbols for codec in self.codecs]
        )


class Planner:
    """Fills in what requests leave open. clip_fingerprint: of the CLIP whose embeddings are sent."""

    def __init__(self, settings: TransmitterSettings, shelf: CodecShelf, clip_fingerprint: str) -> None:
        self._settings = settings
        self._shelf = shelf
        self._clip_fingerprint = clip_fingerprint

    def design_db(self, codec: AnyCodec, snr_db: float) -> float:
        """What a codec is told of an average SNR, dB: under fading, which it does not plan for itself, less."""
        return snr_db if codec.plans_fading else outage_snr_db(snr_db, self._settings.design_fading)

    def spec(self, codec: AnyCodec, mode: int = 0) -> CodecSpec:
        """A codec's name, length and fingerprints, and the mode of a burst, as its header has them."""
        return CodecSpec(codec.name, codec.k, codec.fingerprint, self._clip_fingerprint, mode)

    def default_codec(self) -> AnyCodec:
        """The codec of requests that name none."""
        return self._codec(self._settings.codec, self._settings.k)

    def codec_name(self, request: SendRequest) -> str:
        """Of the codec that a request takes. Raises InvalidInput for a question that no answerer knows."""
        if request.question is None:
            return self._settings.codec if request.codec is None else request.codec
        to_words(request.question.text)
        return request.codec or _ASK_CODEC

    def _codec(self, name: str, k: int | None) -> AnyCodec:
        return self._shelf.get(name, k).for_fading(self._settings.design_fading)

    def plan(self, request: SendRequest, snr_db: float) -> Plan:
        """How a request is sent. snr_db: the average that is expected. Raises InvalidSetting for what does not fit."""
        settings = self._settings
        codecs = self._codecs(request, snr_db)
        repeats = 0 if request.question is None else request.question.retransmissions
        asked = self._question_symbols(request.question, snr_db)
        csi, framing = request.csi or settings.csi, request.framing or settings.framing
        if csi != "pilot":
            for name in ("pilot_symbols", "pilot_pattern"):
                if value := getattr(request, name):
                    raise InvalidSetting(f"{name} = {value} with csi {csi}: pilots need csi pilot")
            return Plan(codecs, request.harq, csi, 0, "preamble", framing, repeats, asked)
        pilots = settings.pilot_symbols if request.pilot_symbols is None else request.pilot_symbols
        if not 2 <= pilots <= 1024:
            raise InvalidSetting(f"pilot_symbols = {pilots}: choose 2 to 1024, or csi none")
        pattern = request.pilot_pattern or settings.pilot_pattern
        return Plan(codecs, request.harq, csi, pilots, pattern, framing, repeats, asked)

    def _question_symbols(self, question: Question | None, snr_db: float) -> int:
        """Symbols of the question of a request, at the average SNR that is expected."""
        if question is None:
            return 0
        known = self._settings.question_at_receiver if question.at_receiver is None else question.at_receiver
        return 0 if known else question_symbols(outage_snr_db(snr_db, self._settings.design_fading))

    def _codecs(self, request: SendRequest, snr_db: float) -> tuple[AnyCodec, ...]:
        """The codec of each length to reach: one, unless the request is for HARQ."""
        if request.question is not None:
            return (self._codec_for_question(request, request.question, snr_db),)
        settings, harq = self._settings, request.harq
        name = self.codec_name(request)
        if issubclass(self._shelf.kind(name), QueryCodec):
            raise InvalidSetting(f"codec {name} sends what a question is about: ask one, or choose another codec")
        if harq is None:
            return (self._codec(name, settings.k if (request.k, request.codec) == (None, None) else request.k),)
        kind = self._shelf.kind(name)
        if not kind.prefixes:
            raise InvalidSetting(
                f"ask_for_more (HARQ) with codec {name}, whose codewords are no prefixes of longer ones: choose nested"
            )
        first = self._codec(name, min(kind.lengths) if request.k is None else request.k)
        last = self._codec(name, max(kind.lengths) if harq.k_max is None else harq.k_max)
        if last.k < first.k:
            raise InvalidSetting(f"k_max = {last.k} is below k = {first.k}, the length of the first round")
        return tuple(self._codec(name, k).in_rounds() for k in sorted(kind.lengths) if first.k <= k <= last.k)

    def _codec_for_question(self, request: SendRequest, question: Question, snr_db: float) -> QueryCodec:
        """The codec of a request with a question, for the bits that it wants. Raises for a question without a sense."""
        name, bits = self.codec_name(request), question.bits or ASKED_BITS
        kind = self._shelf.kind(name)
        if not issubclass(kind, QueryCodec):
            raise InvalidSetting(f"codec {name} takes no question: choose uo-isc or klt-relevance, or leave it out")
        if request.embedding is not None:
            raise InvalidSetting("a question about a ready embedding: send the picture, which the receiver rebuilds")
        if request.harq is not None:
            raise InvalidSetting("a question with ask_for_more (HARQ): leave one of them out")
        if not _FEWEST_BITS <= bits <= _MOST_BITS:
            raise InvalidSetting(f"bits = {bits}: choose {_FEWEST_BITS} to {_MOST_BITS}")
        if question.retransmissions > RETRANSMISSIONS:
            raise InvalidSetting(f"retransmissions = {question.retransmissions}: choose 0 to {RETRANSMISSIONS}")
        k = kind.length_for(bits, snr_db, self._settings.design_fading) if request.k is None else request.k
        codec = self._codec(name, k)
        assert isinstance(codec, QueryCodec)
        return codec.with_bits(bits, 1 + question.retransmissions)

    def codec_for_bits(self, name: str, snr_db: float, k: int | None, bits: int) -> FollowingCodec:
        """The codec of a further question, which needs so many bits; k: the length that was asked for, at least."""
        kind = self._shelf.kind(name)
        assert issubclass(kind, FollowingCodec)
        codec = self._codec(name, max(k or 0, kind.length_for(bits, snr_db, self._settings.design_fading)))
        assert isinstance(codec, FollowingCodec)
        return codec.with_all_of(bits)

    def configuration(self, request: SendRequest, plan: Plan, mode: int, snr_db: float) -> LinkConfiguration | None:
        """What the receiver is to hold before the bursts of a plan, without a version; None where a genie tells it."""
        if plan.framing == "ideal":
            return None
        codecs = [self.spec(codec, mode) for codec in plan.codecs]
        header = NO_HEADER
        if plan.framing == "explicit":
            header = header_class(outage_snr_db(snr_db, self._settings.design_fading))
            if plan.harq is None:  # the header says which length, and which mode
                codecs = self._family(codecs[0].codec)
        return LinkConfiguration(
            version=0,
            framing=plan.framing,
            codecs=tuple(codecs),
            required_posteriors=tuple(plan.posteriors if len(codecs) == len(plan.codecs) else [0.0] * len(codecs)),
            csi=plan.csi,
            pilot_symbols=plan.pilot_symbols,
            pilot_pattern=plan.pilot_pattern,
            top_k=request.top_k,
            trace=request.trace,
            header_symbols=header.symbols,
            short_header_symbols=header.short_symbols,
            questions=plan.in_session and plan.harq is None,
            question_symbols=plan.question_symbols,
        )

    def _family(self, name: str) -> list[CodecSpec]:
        """All lengths of a codec that can be loaded here."""
        found = []
        for k in self._shelf.kind(name).lengths:
            with suppress(NotFound, Mismatch):
                found.append(self.spec(self._shelf.get(name, k)))
        return found
