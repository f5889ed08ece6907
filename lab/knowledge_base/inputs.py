"""What measurements of a knowledge base are given: codecs that fit it, and queries."""

from pathlib import Path

import numpy as np

from lab.data.features import load_features
from lab.knowledge_base.calibration import Queries, own_queries, queries_from
from receiver.knowledge_base.view import View
from shared.codecs import Codec, CodecShelf
from shared.codecs.base.picture import of_embeddings
from shared.errors import Mismatch


def codecs_for(view: View) -> list[Codec]:
    """Every codec of embeddings that fits the CLIP of a knowledge base; not those that take seconds to start."""
    found = CodecShelf("cpu", view.store.origin.clip_fingerprint).load_all()
    return [codec for codec in found if isinstance(codec, Codec) and codec.quick]


def usual_codecs_for(view: View) -> list[Codec]:
    """One of each kind: those of the usual length."""
    return [codec for codec in codecs_for(view) if codec.k == codec.default_k]


def codec_for(view: View, name: str, k: int | None) -> Codec:
    """One codec of embeddings. Raises NotFound, InvalidSetting or Mismatch where there is none that fits."""
    return of_embeddings(CodecShelf("cpu", view.store.origin.clip_fingerprint).get(name, k))


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
    made_by = view.store.origin.clip_fingerprint
    if found.clip_fingerprint not in ("", made_by):
        raise Mismatch(
            f"{features} was made by CLIP {found.clip_fingerprint}, the knowledge base by {made_by}; make them with "
            "the same CLIP: `semlink features`"
        )
    drawn = np.sort(np.random.default_rng(seed).permutation(len(found.labels))[:count])
    return queries_from(view, found.embeddings[drawn], [str(label) for label in found.labels[drawn]])
