"""The schemes `nested-more-C` and `nested-more-C-from-16`: the nested code in rounds, until the certainty is C.

    code of the budget k --next segment--> air, a burst of its own --x_hat, n0_eff--> decode all segments so far
                               ^                                                          |
                               '------------- of the uncertain ones <-------------------'

As over the sockets: each round has its own pilots, header, fade and noise.
"""

from time import perf_counter
from typing import Final

import numpy as np

from lab.evaluate.cost import Cost, cost_of
from lab.evaluate.scheme import NEIGHBOURS, Arrival, Batch, CannotExist, Setting
from lab.simulate.air import Air
from shared.codecs.base.contract import Decoded, fingerprint_of
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.posterior import LabelPosterior
from shared.types import Ints
from transmitter.harq import required_posterior

CERTAINTIES: Final = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
STARTS: Final = {8: "", 16: "-from-16", 32: "-from-32"}
NAMES: Final = {
    f"nested-more-{certainty:g}{suffix}": (certainty, start)
    for certainty in CERTAINTIES
    for start, suffix in STARTS.items()
}


class NestedMore:
    """Adaptive for each picture. k: the budget."""

    genie: tuple[str, ...] = ()

    def __init__(self, k: int, setting: Setting) -> None:
        self.k = k
        self._certainty, start = NAMES[setting.name]
        lengths = [length for length in Nested.lengths if start <= length <= k]
        if k not in lengths:
            raise CannotExist(f"{setting.name}: the rounds reach {Nested.lengths} from {start} on, and never k = {k}")
        self._sender = Nested.load(k, "cpu")
        self._fusion = LabelPosterior(self._sender, setting.items, setting.labels)
        self._receivers = [Nested.load(length, "cpu").with_prior(self._fusion.log_prior) for length in lengths]
        self.clip_fingerprint = self._sender.clip_fingerprint
        self.fingerprint = fingerprint_of([self._sender.fingerprint.encode(), setting.name.encode()])

    @property
    def cost(self) -> Cost:
        """See `Scheme.cost`; of the whole code."""
        return cost_of(self._sender)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """See `Scheme.send`."""
        start = perf_counter()
        x = self._sender.encode(batch.embeddings, batch.operating_point(air.channel.fading))
        encode_seconds = perf_counter() - start
        x_hat, n0_eff = np.empty_like(x), np.empty(x.shape, np.float32)
        reached, rounds = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
        decoded = _nothing_decoded(self._sender, len(x))
        asking, sent, decode_seconds = np.arange(len(x)), 0, 0.0
        for number, receiver in enumerate(self._receivers):
            arrived = air.later(asking, number).carry(x[asking, sent : receiver.symbols], receiver.equalizer)
            x_hat[asking, sent : receiver.symbols] = arrived.x_hat
            n0_eff[asking, sent : receiver.symbols] = arrived.n0_eff
            sent = receiver.symbols
            start = perf_counter()
            known = receiver.decode(x_hat[asking, :sent], n0_eff[asking, :sent])
            decode_seconds += perf_counter() - start
            reached[asking], rounds[asking] = sent, number + 1
            certainty = _put(decoded, asking, known)
            if number + 1 == len(self._receivers):
                break
            following = self._receivers[number + 1].symbols - sent
            asking = asking[certainty < required_posterior(self._certainty, following, self._receivers[0].symbols)]
            if not asking.size:
                break
        found = self._fusion.rank(decoded, NEIGHBOURS)[0]
        return Arrival(decoded, encode_seconds, decode_seconds, found=found, payload_symbols=reached, bursts=rounds)


def _nothing_decoded(codec: Nested, count: int) -> Decoded:
    embeddings = np.empty((count, codec.model.prototypes.shape[1]), np.float32)
    return Decoded(embeddings, np.empty((count, len(codec.model.bias)), np.float32))


def _put(decoded: Decoded, rows: Ints, known: Decoded) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Put what is known of some rows in its place; the certainty of each, as the receiver has it."""
    assert decoded.log_posterior is not None
    assert known.log_posterior is not None
    decoded.embeddings[rows], decoded.log_posterior[rows] = known.embeddings, known.log_posterior
    certainty: np.ndarray[tuple[int], np.dtype[np.float32]] = np.exp(known.log_posterior.max(axis=1))
    return certainty
