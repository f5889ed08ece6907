"""A batch of bursts to a batch of answers; pure but for the clock.

bursts --group by codec, CSI, pilots--> equalize --> decode --.
answers <-- decide <-- one search over all groups <-----------'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from receiver.decision import VOTERS, decide, vote
from receiver.decoder import Equalized, check_codec, decode_payloads, equalize_bursts
from receiver.knowledge_base import KnowledgeBase
from shared.burst import Burst, Csi, Hit, Trace
from shared.channel import EqualizerName
from shared.codecs import Codec, CodecShelf
from shared.errors import InvalidInput, SemLinkError
from shared.ledger import Entry, Stage
from shared.symbols import Complex


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver found for one burst. Fields as in `shared.burst.Reception`."""

    top: tuple[Hit, ...]
    confidence: float
    accepted: bool
    reason: str
    snr_db_estimated: float | None
    trace: Trace | None
    ledger: tuple[Entry, ...]


@dataclass(slots=True)
class _Work:
    """One burst on its way through a batch."""

    burst: Burst
    codec: Codec
    x_hat: Complex | None = None
    snr_db: float = np.nan
    embedding: npt.NDArray[np.float32] | None = None
    ledger: tuple[Entry, ...] = ()


class ReceivePipeline:
    """Equalizes, decodes and searches batches of bursts."""

    def __init__(
        self, shelf: CodecShelf, knowledge_base: KnowledgeBase, equalizer: EqualizerName, accept_confidence: float
    ) -> None:
        self._shelf = shelf
        self._knowledge_base = knowledge_base
        self._equalizer = equalizer
        self._accept_confidence = accept_confidence

    def admit(self, burst: Burst) -> Codec:
        """The codec of a burst. Raises Mismatch, NotFound or InvalidInput when this receiver cannot serve it."""
        if (burst.csi == "perfect") != (burst.genie is not None):
            told = "without" if burst.genie is None else "with"
            raise InvalidInput(f"csi {burst.csi} {told} a genie: a genie goes with csi perfect, and only with it")
        self._knowledge_base.require_clip(burst.codec.clip_fingerprint)
        codec = self._shelf.get(burst.codec.codec, burst.codec.k)
        check_codec(codec, burst)
        return codec

    def receive(self, items: Sequence[tuple[Burst, Codec]]) -> list[Answer | Exception]:
        """Answers to admitted bursts, in order; a burst that cannot be decoded gets an error of its own."""
        works = [_Work(burst, codec) for burst, codec in items]
        for group in _groups(works):
            self._decode(group)
        found = [work for work in works if work.embedding is not None]
        answers = iter(self._search(found))
        return [_undecodable(work.burst) if work.embedding is None else next(answers) for work in works]

    def _decode(self, group: list[_Work]) -> None:
        start = perf_counter()
        equalized: Equalized = equalize_bursts(
            [work.burst for work in group], group[0].codec.equalizer or self._equalizer
        )
        middle = perf_counter()
        embeddings = decode_payloads(group[0].codec, equalized).embeddings
        end = perf_counter()
        ledger = (Entry(Stage.EQUALIZE, middle - start), Entry(Stage.DECODE, end - middle))
        usable = np.logical_and(np.isfinite(embeddings).all(axis=1), embeddings.any(axis=1))
        for row, work in enumerate(group):
            work.x_hat, work.snr_db, work.ledger = equalized.x_hat[row], float(equalized.snr_db[row]), ledger
            work.embedding = embeddings[row] if usable[row] else None

    def _search(self, works: list[_Work]) -> list[Answer]:
        """One search for all groups of a batch."""
        if not works:
            return []
        start = perf_counter()
        embeddings = np.stack([work.embedding for work in works if work.embedding is not None])
        wanted = max(VOTERS, *(work.burst.top_k for work in works))
        positions, cosines = self._knowledge_base.nearest(embeddings, wanted)
        shares = vote(self._knowledge_base.label_codes[positions], cosines)
        hits = self._knowledge_base.hits(positions, cosines)
        entry = Entry(Stage.SEARCH, perf_counter() - start)
        return [
            self._answer(work, top, float(share), entry) for work, top, share in zip(works, hits, shares, strict=True)
        ]

    def _answer(self, work: _Work, top: Sequence[Hit], share: float, search: Entry) -> Answer:
        decision = decide(share, self._accept_confidence)
        return Answer(
            top=tuple(top[: work.burst.top_k]),
            confidence=decision.confidence,
            accepted=decision.accepted,
            reason=decision.reason,
            snr_db_estimated=None if np.isnan(work.snr_db) else work.snr_db,
            trace=_trace(work) if work.burst.trace else None,
            ledger=(*work.ledger, search),
        )


def _groups(works: Sequence[_Work]) -> list[list[_Work]]:
    """Works that can be stacked: one codec, one CSI mode, one number of pilots."""
    groups: dict[tuple[str, int, Csi, int], list[_Work]] = {}
    for work in works:
        key = (work.codec.name, work.codec.k, work.burst.csi, work.burst.pilots)
        groups.setdefault(key, []).append(work)
    return list(groups.values())


def _trace(work: _Work) -> Trace:
    nothing = np.empty(0, np.complex64)
    return Trace(sent=nothing, received=work.burst.payload, equalized=nothing if work.x_hat is None else work.x_hat)


def _undecodable(burst: Burst) -> SemLinkError:
    return InvalidInput(f"burst {burst.burst_id} decodes to no direction: its embedding is zero or not finite")
