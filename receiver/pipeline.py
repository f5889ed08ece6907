"""A batch of bursts to a batch of answers; pure but for the clock.

bursts --group by codec, CSI, pilots, grid--> equalize --> join their session --> decode, and embed pictures --.
answers <-- decide <-- vote, or fusion with the category <-- search <------------------------------------------'
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from receiver.answering import Answering
from receiver.confidence import load_confidence
from receiver.decision import VOTERS, Ballot, answer_first, confidence_features, decide, vote
from receiver.decoder import (
    Arrived,
    EmbedPictures,
    Equalized,
    check_codec,
    check_csi,
    decode_payloads,
    decode_pictures,
    equalize_bursts,
    without_clip,
)
from receiver.framing import Deframer
from receiver.harq_buffer import HarqBuffer, Part
from receiver.held_pictures import HeldPictures
from receiver.knowledge_base import KnowledgeBase, View
from receiver.label_posterior import CANDIDATES, LabelPosteriors, rank_by_posterior
from receiver.repeat_buffer import RepeatBuffer
from receiver.settings import ReceiverSettings
from shared.codecs import AnyCodec, Codec, CodecShelf, Decoded, QueryCodec
from shared.codecs.embedding.posterior import LabelPosterior
from shared.errors import InvalidInput, Mismatch, SemLinkError
from shared.frame.burst import Burst
from shared.frame.question import QUESTION_LOST, Rebuilt
from shared.frame.question_field import decode_questions
from shared.frame.reception import Hit, Reception, Trace
from shared.ledger import Entry, Stage
from shared.types import Complex, Doubles, Floats, Ints


@dataclass(slots=True)
class _Work:
    """One burst on its way through a batch."""

    burst: Burst
    codec: AnyCodec
    x_hat: Complex | None = None
    snr_db: float = np.nan
    n0: float = np.nan
    embedding: Floats | None = None
    fusion: LabelPosterior | None = None
    log_posterior: Floats | None = None
    missing: str = ""
    rebuilt: Rebuilt | None = None
    held: Any = None
    part: Part | None = None
    posterior: float | None = None
    ledger: tuple[Entry, ...] = ()
    answer: Reception | Exception | None = None

    @property
    def request_more(self) -> bool:
        """Whether the receiver requests more symbols: there are some, and the posterior is below the required one."""
        decided = self.posterior is None or self.posterior >= self.burst.required_posterior
        return not decided and self.codec.k < max(self.codec.lengths)


class ReceivePipeline:
    """Equalizes, decodes and searches batches of bursts. deframer: what says what a heard burst is."""

    def __init__(
        self,
        settings: ReceiverSettings,
        shelf: CodecShelf,
        knowledge_base: KnowledgeBase,
        embed_pictures: EmbedPictures = without_clip,
    ) -> None:
        self._settings = settings
        self.deframer = Deframer(settings.framing)
        self.shelf = shelf
        self._knowledge_base = knowledge_base
        self._embed_pictures = embed_pictures
        self._confidences = load_confidence(settings.kb)
        self._posteriors = LabelPosteriors()
        self._answering = Answering(shelf.device)
        self._harq_buffer = HarqBuffer(settings.max_sessions, settings.session_seconds)
        self._held_pictures = HeldPictures(settings.max_sessions, settings.session_seconds)
        self._repeat_buffer = RepeatBuffer(settings.max_sessions, settings.session_seconds)

    def admit(self, burst: Burst) -> AnyCodec:
        """The codec of a burst. Raises Mismatch, NotFound or InvalidInput when this receiver cannot serve it."""
        check_csi(burst)
        self._knowledge_base.require_clip(burst.codec.clip_fingerprint)
        codec = self.shelf.get(burst.codec.codec, burst.codec.k)
        check_codec(codec, burst)
        return codec.with_mode(burst.codec.mode)

    def warm_up(self, codecs: Sequence[AnyCodec]) -> None:
        """Learn what the codecs make of the knowledge base, before the first burst."""
        for codec in codecs:
            if isinstance(codec, Codec):
                self._posteriors.of(codec, self._knowledge_base.view)

    def decode_once(self, codec: AnyCodec) -> None:
        """Decode something, so that the first burst finds imported and built what the codec needs."""
        ones = np.ones((1, codec.symbols))
        equalized = Equalized(ones.astype(np.complex64), ones.astype(np.float32), np.zeros(1), np.ones(1))
        self._arrived(codec, equalized, None, [None])

    def receive(self, items: Sequence[tuple[Burst, AnyCodec]]) -> list[Reception | Exception]:
        """Answers to admitted bursts, in order, elapsed time still 0; one that cannot be decoded gets an error."""
        works = [_Work(burst, codec) for burst, codec in items]
        view = self._knowledge_base.view
        for group in _groups(works):
            self._decode(group, view)
        for found in _searches(works):
            self._search(found, view)
        return [_undecodable(work.burst) if work.answer is None else work.answer for work in works]

    def _decode(self, group: list[_Work], view: View) -> None:
        start = perf_counter()
        equalizer = group[0].codec.equalizer or self._settings.equalizer
        equalized = equalize_bursts([work.burst for work in group], equalizer)
        middle = perf_counter()
        group, equalized = self._joined(group, equalized)
        if not group:
            return
        codec, (questions, equalized) = group[0].codec, _questions(group, equalized)
        fusion = None if not isinstance(codec, Codec) else self._posteriors.of(codec, view)
        arrived = self._arrived(codec, equalized, fusion, [work.held for work in group])
        decoded, embeddings = arrived.decoded, arrived.decoded.embeddings
        ledger = (Entry(Stage.EQUALIZE, middle - start), *arrived.ledger)
        if isinstance(codec, QueryCodec):
            ledger += self._answered(group, arrived, questions)
        usable = np.logical_and(np.isfinite(embeddings).all(axis=1), embeddings.any(axis=1))
        for row, work in enumerate(group):
            work.snr_db, work.n0, work.ledger = float(equalized.snr_db[row]), float(equalized.n0[row]), ledger
            work.embedding, work.missing = embeddings[row] if usable[row] else None, arrived.missing[row]
            if fusion is not None and decoded.log_posterior is not None:
                work.fusion, work.log_posterior = fusion, decoded.log_posterior[row]
            if decoded.log_posterior is not None:
                work.posterior = float(np.exp(decoded.log_posterior[row].max()))

    def _answered(self, group: list[_Work], arrived: Arrived, questions: Sequence[str | None]) -> tuple[Entry, ...]:
        """Answer the questions of a group on its pictures, and say how long that took."""
        start = perf_counter()
        assert arrived.pixels is not None
        answers = self._answering.answer(questions, arrived.pixels, arrived.missing)
        for work, rebuilt, held in zip(group, answers, arrived.held, strict=True):
            work.rebuilt = rebuilt
            if held is not None:
                self._held_pictures.keep(work.burst, held)
            if not rebuilt.complete and work.part is not None:
                self._repeat_buffer.keep(work.burst, work.part)
        return (Entry(Stage.ANSWER, perf_counter() - start),)

    def _joined(self, group: list[_Work], equalized: Equalized) -> tuple[list[_Work], Equalized]:
        """The works whose beginning is here, and all of their code; the others get their error as answer."""
        parts: dict[int, Part] = {}
        for row, work in enumerate(group):
            work.x_hat = equalized.x_hat[row]
            part = Part(equalized.x_hat[row], equalized.n0_eff[row])
            try:
                if isinstance(work.codec, QueryCodec):
                    work.part, work.held = part, self._held_pictures.before(work.burst)
                    parts[row] = self._repeat_buffer.join(work.burst, part)
                else:
                    parts[row] = self._harq_buffer.join(work.burst, part)
            except Mismatch as error:
                work.answer = error
        if not parts:
            return [], equalized
        rows = list(parts)
        x_hat, n0_eff = (np.stack(column) for column in zip(*parts.values(), strict=True))
        return [group[row] for row in rows], Equalized(x_hat, n0_eff, equalized.snr_db[rows], equalized.n0[rows])

    def _arrived(
        self, codec: AnyCodec, equalized: Equalized, fusion: LabelPosterior | None, held: Sequence[Any]
    ) -> Arrived:
        """What a group's codec says arrived, with the categories that the knowledge base has."""
        if not isinstance(codec, Codec):
            return decode_pictures(codec, equalized, self._embed_pictures, held)
        return decode_payloads(codec if fusion is None else codec.with_prior(fusion.log_prior), equalized)

    def _search(self, works: list[_Work], view: View) -> None:
        """One search for all works that are ranked alike."""
        start = perf_counter()
        most = max(work.burst.top_k for work in works)
        embeddings = np.stack([work.embedding for work in works if work.embedding is not None])
        n0 = np.array([work.n0 for work in works])
        if (fusion := works[0].fusion) is None:
            model, (ballot, positions, squared) = self._confidences.vote, _elect(embeddings, n0, view, most)
        else:
            log_posteriors = np.stack([work.log_posterior for work in works if work.log_posterior is not None])
            model, decoded = self._confidences.fusion, Decoded(embeddings, log_posteriors)
            ballot, positions, squared = _fuse(fusion, decoded, view)
        symbols = np.array([work.codec.symbols for work in works])
        confidences = model.of(confidence_features(ballot, n0, symbols))
        hits = view.hits(positions[:, :most], squared[:, :most])
        entry = Entry(Stage.SEARCH, perf_counter() - start)
        for work, top, confidence in zip(works, hits, confidences, strict=True):
            work.answer = self._answer(work, top, float(confidence), entry, view=view)

    def _answer(self, work: _Work, top: Sequence[Hit], confidence: float, search: Entry, *, view: View) -> Reception:
        lost = QUESTION_LOST if work.rebuilt is not None and work.rebuilt.question_lost else ""
        decision = decide(confidence, self._settings.accept_confidence, work.missing, lost)
        return Reception(
            burst_id=work.burst.burst_id,
            top=tuple(top[: work.burst.top_k]),
            confidence=decision.confidence,
            accepted=decision.accepted,
            reason=decision.reason,
            snr_db_estimated=work.snr_db if work.burst.csi == "pilot" and not np.isnan(work.snr_db) else None,
            trace=_trace(work) if work.burst.trace else None,
            ledger=(*work.ledger, search),
            elapsed_seconds=0.0,
            knowledge_base=view.fingerprint,
            knowledge_base_version=view.head.version,
            posterior=work.posterior,
            request_more=work.request_more,
            rebuilt=work.rebuilt,
        )


def _questions(group: Sequence[_Work], equalized: Equalized) -> tuple[list[str | None], Equalized]:
    """What is asked about the pictures of a group, None where that was lost on the air, and their own symbols."""
    count = group[0].burst.question_symbols
    if not count:
        return [work.burst.question for work in group], equalized
    heard = decode_questions(equalized.x_hat[:, :count], equalized.n0_eff[:, :count], group[0].burst.csi)
    return heard, replace(equalized, x_hat=equalized.x_hat[:, count:], n0_eff=equalized.n0_eff[:, count:])


_Ranked = tuple[Ballot, Ints, Floats]
"""The vote or fusion that chose each burst's answer, and items, the answer first, with their squared distances."""


def _elect(embeddings: Floats, n0: Doubles, view: View, most: int) -> _Ranked:
    """The nearest items, the winner of their vote first."""
    positions, squared = view.nearest(embeddings, max(VOTERS, most))
    ballot = vote(view.labels_of(positions), squared, n0)
    return ballot, *answer_first(ballot, positions, squared, most)


def _fuse(fusion: LabelPosterior, decoded: Decoded, view: View) -> _Ranked:
    """The nearest items, in the order of what distance and category together say of them."""
    positions, squared = view.nearest(decoded.embeddings, CANDIDATES)
    ballot, order = rank_by_posterior(fusion, decoded, view.labels_of(positions), squared)
    return ballot, np.take_along_axis(positions, order, axis=1), np.take_along_axis(squared, order, axis=1)


def _groups(works: Sequence[_Work]) -> list[list[_Work]]:
    """Works that can be stacked: one codec, mode and CSI, the same pilots in the same places of one waveform.

    Beginnings of a code, of a session and of repeats stand first, so that a burst may continue one of the same batch,
    as in a replay.
    """
    groups: dict[Hashable, list[_Work]] = {}
    for work in works:
        burst = work.burst
        place = (*_order(burst), burst.pilot_symbols, burst.pilot_pattern, burst.grid, burst.question_symbols)
        key = (work.codec.name, work.codec.k, burst.codec.mode, burst.csi, *place)
        groups.setdefault(key, []).append(work)
    return sorted(groups.values(), key=lambda group: _order(group[0].burst))


def _order(burst: Burst) -> tuple[int, int, int]:
    return burst.offset_symbols, burst.round, burst.attempt


def _searches(works: Sequence[_Work]) -> list[list[_Work]]:
    """Works that were decoded, those together that are ranked by the same fusion, or by none."""
    searches: dict[int, list[_Work]] = {}
    for work in works:
        if work.embedding is not None:
            searches.setdefault(id(work.fusion), []).append(work)
    return list(searches.values())


def _trace(work: _Work) -> Trace:
    nothing = np.empty(0, np.complex64)
    x_hat = nothing if work.x_hat is None else work.x_hat
    return Trace(sent=nothing, received=work.burst.payload, equalized=x_hat, embedding=work.embedding)


def _undecodable(burst: Burst) -> SemLinkError:
    return InvalidInput(f"burst {burst.burst_id} decodes to no direction: its embedding is zero or not finite")
