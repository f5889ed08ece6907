"""Is `nested` safe for these embeddings? Never below kbsc, and never below 0.97 of what needs no training at all.

    python -m lab.data.cones 1000 --cosine 0.65 --out out/cone.npz
    semlink train nested --features out/cone.npz --unlabelled
    semlink train kbsc --features out/cone.npz
    python -m lab.evaluate.safety out/cone.npz --weights-dir out/weights

Semantic accuracy over AWGN of known gain and noise, of all queries of the file. What needs no training: the smaller one
of the clean embedding's nearest item, and of the first k values of the embedding, sent as they are over the same
channel uses; where k = 512 that is `raw`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

import numpy as np
import polars as pl
import typer

from lab.data.ready import ClipName, open_ready
from lab.evaluate.data import TestSet
from lab.evaluate.run_point import measure_schemes
from lab.evaluate.scenario import ChannelSpec
from lab.evaluate.scheme import CodecScheme, FusedScheme, Scheme
from lab.evaluate.scorer import Scorer
from lab.script import run_script
from shared.codecs import Codec, Decoded
from shared.codecs.base.contract import DesignSnr, fingerprint_of, to_latent, to_symbols
from shared.codecs.base.weight_files import use_weights_dir
from shared.codecs.embedding.kbsc import Kbsc
from shared.codecs.embedding.nested import Nested
from shared.phy.power import normalize_power
from shared.types import Complex, Embeddings, Floats

SNRS_DB: Final = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
SHARE: Final = 0.97
_NOISE: Final = 2.0
"""Standard errors of a difference of two shares that a shortfall has to exceed to count."""


class FirstValues(Codec):
    """The first k values of an embedding of D, as they are."""

    name: ClassVar[str] = "first values"
    lengths: ClassVar[tuple[int, ...]] = Nested.lengths
    default_k: ClassVar[int] = 64

    def __init__(self, k: int, dim: int) -> None:
        self.k, self._dim = k, dim
        self.fingerprint = fingerprint_of([b"first", str(k).encode()])

    @classmethod
    def load(cls, k: int, device: str) -> Self:  # noqa: ARG003 - nothing to load
        """Of 512 values."""
        return cls(k, 512)

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:  # noqa: ARG002
        """Symbols [B, k/2] of [B, D]."""
        return normalize_power(to_symbols(embeddings[:, : self.k]))

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:  # noqa: ARG002
        """The received values, and zeros."""
        embeddings = np.zeros((len(x_hat), self._dim), np.float32)
        embeddings[:, : self.k] = to_latent(x_hat)
        return Decoded(embeddings)


class FirstValuesScheme(CodecScheme):
    """Its receiver compares the first k values alone, each item's own brought to unit length."""

    def __init__(self, k: int, test_set: TestSet) -> None:
        dim = test_set.items.embeddings.shape[1]
        super().__init__(FirstValues(k, dim), FirstValues(k, dim))
        first = test_set.items.embeddings[:, :k]
        self._items = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)

    def _found(self, decoded: Decoded, equalized: Any) -> Any:  # noqa: ARG002
        """The nearest items."""
        return np.argsort(-(decoded.embeddings[:, : self.k] @ self._items.T), axis=1)[:, :10]


def compared(test_set: TestSet) -> pl.DataFrame:
    """A row for each length and SNR: nested, kbsc where it has that length, first values, and the floor."""
    scorer, items = Scorer(test_set), (test_set.items.embeddings, test_set.item_labels)
    found: dict[str, dict[tuple[int, float], float]] = {}
    for name, scheme in _schemes(test_set, *items):
        channel = [ChannelSpec(csi=("perfect",))]
        rows = measure_schemes([scheme], scorer, snrs_db=SNRS_DB, channels=channel)
        found.setdefault(name, {}).update({(scheme.k, row.snr_db): row.semantic_accuracy for row in rows})
    return pl.DataFrame([_row(found, point, scorer) for point in found["nested"]])


def _schemes(test_set: TestSet, items: Embeddings, labels: Any) -> Iterator[tuple[str, Scheme]]:
    for k in Nested.lengths:
        yield "nested", FusedScheme(Nested.load(k, "cpu"), Nested.load(k, "cpu"), items, labels)
        yield "first values", FirstValuesScheme(k, test_set)
        if k in Kbsc.lengths:
            yield "kbsc", CodecScheme(Kbsc.load(k, "cpu"), Kbsc.load(k, "cpu"))


def _row(found: dict[str, dict[tuple[int, float], float]], point: tuple[int, float], scorer: Scorer) -> dict[str, Any]:
    own, plain, kbsc = found["nested"][point], found["first values"][point], found["kbsc"].get(point)
    floor = max(SHARE * min(scorer.nearest_accuracy, plain), kbsc or 0.0)
    count = len(scorer.test_set.query_labels)
    error = _NOISE * np.sqrt((own * (1 - own) + floor * (1 - floor)) / count)
    verdict = "safe" if own >= floor else "within noise" if own >= floor - error else "BELOW"
    figures = {"nested": own, "kbsc": kbsc, "first values": plain, "floor": floor}
    return {"k": point[0], "snr_db": point[1]} | figures | {"verdict": verdict}


def main(
    features: Path,
    weights_dir: Annotated[Path, typer.Option()] = Path("out/weights"),
    clip_fingerprint: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Compare and print; the status is 1 where nested is below the floor."""
    use_weights_dir(weights_dir)
    ready = open_ready(str(features), ClipName("CLIP", clip_fingerprint) if clip_fingerprint else None)
    test_set = TestSet.of_features(*ready.test(), clip_fingerprint=ready.clip.fingerprint)
    table = compared(test_set)
    clean = Scorer(test_set).nearest_accuracy
    print(f"{features}: {len(ready.query)} queries, {len(ready.kb)} items, clean 1-NN {clean:.3f}")
    with pl.Config(tbl_rows=-1, float_precision=3, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(table)
    raise typer.Exit(int((table["verdict"] == "BELOW").any()))


if __name__ == "__main__":
    run_script(main)
