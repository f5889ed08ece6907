"""What a user would write without a link: everything in one process, batch after batch."""

from collections.abc import Sequence
from itertools import cycle, islice
from time import perf_counter

import numpy as np

from lab.simulate.chain import Chain
from receiver.knowledge_base import KnowledgeBase
from shared.clip import Clip
from shared.codecs import Codec
from shared.datasets.decoding import decode_picture


class BareLoop:
    """Preprocess, encode, compress, chain, decode, search."""

    def __init__(self, clip: Clip, codec: Codec, knowledge_base: KnowledgeBase, chain: Chain) -> None:
        self._clip = clip
        self._codec = codec
        self._knowledge_base = knowledge_base
        self._chain = chain

    def run(self, pictures: Sequence[bytes], batch_size: int, seconds: float) -> float:
        """Pictures per second over at least `seconds`."""
        supply, done, start = cycle(pictures), 0, perf_counter()
        while (elapsed := perf_counter() - start) < seconds:
            self._batch(list(islice(supply, batch_size)), done)
            done += batch_size
        return done / elapsed

    def _batch(self, pictures: Sequence[bytes], counter: int) -> None:
        clip, codec = self._clip, self._codec
        decoded = [decode_picture(data, target_size=clip.image_size).image for data in pictures]
        embeddings = clip.embed_images(np.stack([clip.preprocess(image) for image in decoded]))
        counters = counter + np.arange(len(pictures))
        received = self._chain.carry(codec.encode(embeddings), counters, codec.equalizer)
        self._knowledge_base.search(codec.decode(received.x_hat, received.n0_eff).embeddings, 5)
