"""Says what a codec is worth that learned categories from few embeddings, beside one that has learned none."""

import sys
from typing import Final

import numpy as np

from lab.data.codec_data import CodecData
from lab.evaluate.metrics import semantic_accuracy
from lab.train.nested.unlabelled import ITEMS, JUDGES, Trial, fit_analogue, held_out, plainly, share_right
from shared.codecs import Codec

ENOUGH: Final = 20
"""Embeddings of a label from which on it does not warn, see docs/results-own-embeddings.md."""
LENGTH: Final = 64
_SNR_DB: Final = 4.0


def warn_of_few(codec: Codec, data: CodecData) -> None:
    """Print on standard error where half of the labels have fewer than `ENOUGH` embeddings.

    codec: that learned from the data; its validation accuracy is printed beside that of the principal axes alone, which
    need no labels and no training, and of the clean embedding's nearest item. Held-out embeddings ask learned ones.
    """
    numbers = np.concatenate([data.train.labels, data.sender.labels, data.kb.labels])
    few = int(np.median(np.bincount(numbers, minlength=len(data.collections))))
    if few >= ENOUGH:
        return
    labels = np.concatenate([data.sender.labels, data.kb.labels])
    queries, items = held_out(data)[:JUDGES], data.train.take(slice(ITEMS))
    trial = Trial(queries, labels[:JUDGES], *items)
    learned, plain = (share_right(each, trial, _SNR_DB) for each in (codec, plainly(codec.k, fit_analogue(data))))
    clean = semantic_accuracy(queries, trial.query_groups, *items)
    print(
        f"semlink: half of the {len(data.collections)} labels have at most {few} vectors; what {codec.name} learns of "
        f"labels can be trusted from about {ENOUGH} of each on. Validation accuracy at k = {codec.k}, {_SNR_DB:g} dB: "
        f"{learned:.3f}, untrained (principal axes alone) {plain:.3f}, without codec and channel {clean:.3f}. Compare "
        "by `semlink evaluate features --features FILE`, with `semlink train nested --unlabelled`",
        file=sys.stderr,
    )
