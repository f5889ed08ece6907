"""What measurements of a knowledge base are given: codecs that fit it, and queries."""

from pathlib import Path

import numpy as np

from lab.features import load_features
from lab.kb.calibration import Queries, own_queries, queries_from
from receiver.knowledge_base.view import View
from shared.codecs import Codec, CodecShelf
from shared.errors import Mismatch


def codecs_for(view: View) -> list[Codec]:
    """Every codec that fits the CLIP of a knowledge base."""
    return CodecShelf("cpu", view.store.origin.clip_fingerprint).load_all()


def usual_codecs_for(view: View) -> list[Codec]:
    """One of each kind: those of the usual length."""
    return [codec for codec in codecs_for(view) if codec.k == codec.default_k]


def codec_for(view: View, name: str, k: int | None) -> Codec:
    """One codec. Raises NotFound, InvalidSetting or Mismatch where there is none that fits."""
    return CodecShelf("cpu", view.store.origin.clip_fingerprint).get(name, k)


def queries_for(view: View, features: Path | None, count: int, seed: int = 0) -> Queries:
    """Some of the pictures of a features file, or of the base's own items. Raises Mismatch for another dimension."""
    if features is None:
        return own_queries(view, count, seed)
    found = load_features(features)
    if found.embeddings.shape[1:] != (view.store.origin.dim,):
        raise Mismatch(
            f"{features} holds embeddings of shape {found.embeddings.shape}, the knowledge base has "
            f"{view.store.origin.dim} values each; make them with the same CLIP: `semlink features`"
        )
    drawn = np.sort(np.random.default_rng(seed).permutation(len(found.labels))[:count])
    return queries_from(view, found.embeddings[drawn], [str(label) for label in found.labels[drawn]])
