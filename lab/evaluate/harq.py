"""Schemes in rounds (HARQ): more of the code is sent until the posterior of the category is high enough."""

from time import perf_counter

from lab.evaluate.scenario import Harq
from lab.evaluate.scheme import NEIGHBOURS, Arrival, Batch, CannotExist, FusedScheme
from lab.simulate.chain import Chain
from lab.simulate.rounds import send_rounds
from shared.codecs import Codec
from shared.codecs.base.contract import fingerprint_of
from shared.errors import InvalidSetting
from shared.types import Embeddings, Ints


class HarqScheme(FusedScheme):
    """Adaptive for each picture. Its cost is that of the whole code."""

    def __init__(self, kind: type[Codec], k: int, harq: Harq, items: Embeddings, labels: Ints) -> None:
        """k: the most that is sent. items, labels: see `Setting`.

        Raises InvalidSetting for a codec that cannot be sent in rounds, CannotExist where no round ends at k.
        """
        if not kind.prefixes:
            raise InvalidSetting(f"harq with codec {kind.name}, whose shorter code does not begin its longer one")
        lengths = [length for length in kind.lengths if harq.start <= length <= k]
        if k not in lengths:
            raise CannotExist(f"the rounds of {kind.name} reach {kind.lengths} from {harq.start} on, and never k = {k}")
        super().__init__(kind.load(k, "cpu").in_rounds(), kind.load(k, "cpu"), items, labels)
        self._harq, self.lengths = harq, tuple(lengths)
        self._receivers = [kind.load(length, "cpu").with_prior(self._fusion.log_prior) for length in lengths]
        self.fingerprint = fingerprint_of([self._sender.fingerprint.encode(), repr(harq).encode()])

    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """See `Scheme.send`."""
        start = perf_counter()
        x = self._sender.encode(self._given(batch), self._expected(batch, chain))
        encode_seconds = perf_counter() - start
        sent = send_rounds(chain, self._receivers, x, batch.counters, posterior=self._harq.certainty)
        return Arrival(
            sent.decoded,
            encode_seconds,
            sent.decode_seconds,
            found=self._fusion.rank(sent.decoded, NEIGHBOURS)[0],
            sent=sent.sent,
            headers=sent.headers,
        )
