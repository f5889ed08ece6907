"""What `nested` is worth that learned from few labelled embeddings, beside what needs no labels, or no training.

    python -m lab.data.cones 10000 --cosine 0.65 --out out/cone.npz
    python -m lab.experiments.few_labels out/cone.npz --each 5 --each 20 --each 100
    python -m lab.experiments.few_labels cifar100:DIR --each 5 --each 20 --each 100

Of each label so many embeddings are learned from, with labels and without; the knowledge base and the queries are
always the same. Semantic accuracy over AWGN of known gain and noise. The upper bound is that of the best classifier
which learned from all of the part `train`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from lab.data.features import CLIP_TINY, Features, cached_features, load_choice, training_source
from lab.data.ready import ClipName, ReadySet, open_ready
from lab.evaluate.classifier import CLASSIFIERS, best_accuracy, epochs_for
from lab.evaluate.data import TestSet
from lab.evaluate.run_point import measure_schemes
from lab.evaluate.safety import FirstValuesScheme
from lab.evaluate.scenario import ChannelSpec
from lab.evaluate.scheme import CodecScheme, FusedScheme, Scheme
from lab.evaluate.scorer import Scorer
from lab.evaluate.upper_bound import upper_bound
from lab.script import run_script
from lab.train.kbsc import KbscSettings
from lab.train.kbsc.train import train_kbsc
from lab.train.nested import NestedSettings
from lab.train.nested.train import train_nested
from shared.codecs.embedding.kbsc import Kbsc
from shared.codecs.embedding.nested import Nested
from shared.datasets import open_source
from shared.errors import InvalidInput
from shared.types import Ints

POINTS: Final = ((16, 0.0), (16, 10.0), (64, 0.0), (64, 10.0))
_LENGTHS: Final = tuple(sorted({k for k, _ in POINTS}))
_SNRS_DB: Final = tuple(sorted({snr_db for _, snr_db in POINTS}))


def few_of(labels: Ints, each: int, seed: int = 0) -> Ints:
    """Positions of `each` random members of each of the labels [N], or of all where there are fewer."""
    rng = np.random.default_rng([seed, each])
    return np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:each] for label in np.unique(labels)])
    )


def open_set(spec: str, cache: Path) -> ReadySet:
    """Ready embeddings, or those of a data set with labels and parts by clip-tiny."""
    if Path(spec).exists():
        return open_ready(spec)
    clip = load_choice(CLIP_TINY)
    sources = training_source(spec), open_source(spec, "query"), open_source(spec, "kb")
    parts = [cached_features(source, clip, cache) for source in sources]
    ends = np.cumsum([0, *(len(part.labels) for part in parts)])
    embeddings, labels, ids = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("embeddings", "labels", "ids")
    )
    whole = Features(embeddings, labels, ids)
    train, query, kb = (np.arange(*ends[part : part + 2]) for part in range(3))
    return ReadySet(sources[0].name, whole, ClipName(clip.name, clip.fingerprint), train, query, kb)


def trained(ready: ReadySet, each: int, folder: Path) -> Iterator[tuple[str, Scheme]]:
    """Train on a few of each label, with labels, without, and kbsc; the schemes of each, by name."""
    chosen = ready.train[few_of(ready.features.labels[ready.train], each)]  # type: ignore[arg-type]
    file = folder / "few.npz"
    _save(file, replace(ready, train=chosen))
    where: dict[str, Any] = {"features": str(file), "runs": folder / "runs"}
    train_nested(NestedSettings(**where, out=folder / "labels"))
    train_nested(NestedSettings(**where, out=folder / "unlabelled", unlabelled=True))
    train_kbsc(KbscSettings(**where, out=folder / "kbsc", lengths=_LENGTHS))
    test_set = _test_set(ready)
    items = test_set.items.embeddings, test_set.item_labels
    for k in _LENGTHS:
        for name in ("labels", "unlabelled"):
            codec = Nested.from_file(folder / name / "model.safetensors", k, "cpu")
            yield name, FusedScheme(codec, codec, *items)
        kbsc = Kbsc.from_file(folder / "kbsc" / f"k{k}.safetensors", "cpu")
        yield "kbsc", CodecScheme(kbsc, kbsc)
        yield "first values", FirstValuesScheme(k, test_set)


def _save(file: Path, ready: ReadySet) -> None:
    """Write the parts as ready embeddings with `splits`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = {"train": ready.train, "query": ready.query, "kb": ready.kb}
    members = np.concatenate([*parts.values()])
    arrays = {name: getattr(ready.features, name)[members] for name in ("embeddings", "labels", "ids")}
    arrays["splits"] = np.repeat([*parts], [len(part) for part in parts.values()])
    clip = {"clip": np.array(ready.clip.name), "clip_fingerprint": np.array(ready.clip.fingerprint)}
    np.savez(file, **arrays, **clip)  # type: ignore[arg-type]


def _test_set(ready: ReadySet) -> TestSet:
    return TestSet.of_features(*ready.test(), clip_fingerprint=ready.clip.fingerprint)


def measured(ready: ReadySet, each: int, folder: Path) -> dict[str, list[float]]:
    """The accuracy at each of `POINTS`, by name."""
    scorer, channel, found = Scorer(_test_set(ready)), [ChannelSpec(csi=("perfect",))], {}
    for name, scheme in trained(ready, each, folder):
        for row in measure_schemes([scheme], scorer, snrs_db=_SNRS_DB, channels=channel):
            found[name, row.k, row.snr_db] = row.semantic_accuracy
    names = dict.fromkeys(name for name, _, _ in found)
    return {name: [found[name, *point] for point in POINTS] for name in names}


def bounds(ready: ReadySet) -> list[float]:
    """The upper bound at each of `POINTS`."""
    train, query = (ready.numbered(part) for part in (ready.train, ready.query))
    classifiers = [replace(one, epochs=epochs_for(len(train.labels))) for one in CLASSIFIERS]
    best, labels = best_accuracy(train, query, classifiers), len(np.unique(train.labels))
    return [upper_bound(best, labels, k, snr_db) for k, snr_db in POINTS]


def main(
    source: Annotated[
        str, typer.Argument(help="Ready embeddings with labels, or a data set, as `semlink train` takes.")
    ],
    each: Annotated[list[int], typer.Option(min=1, help="Embeddings of each label; all where there are fewer.")],
    out: Annotated[Path, typer.Option(help="Folder for weights.")] = Path("out/few"),
    cache: Annotated[Path, typer.Option(help="Folder for cached embeddings.")] = Path("out/features"),
) -> None:
    """Compare nested, kbsc and the first values, trained on a few embeddings of each label: rows of a table."""
    ready = open_set(source, cache)
    if not ready.features.labels.any():
        raise InvalidInput(f"{source} has no labels, of which a few could be learned from")
    print(f"{source}: clean 1-NN {Scorer(_test_set(ready)).nearest_accuracy:.3f}", flush=True)
    print("| of each label | codec |", " | ".join(f"k = {k}, {snr_db:g} dB" for k, snr_db in POINTS), "|")
    print("| --- " * (2 + len(POINTS)) + "|")
    for count in each:
        for name, row in measured(ready, count, out / str(count)).items():
            print(f"| {count} | {name} |", " | ".join(f"{value:.3f}" for value in row), "|", flush=True)
    print("| all | upper bound |", " | ".join(f"{value:.3f}" for value in bounds(ready)), "|")


if __name__ == "__main__":
    run_script(main)
