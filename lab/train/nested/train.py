"""Trains the codec `nested`: first the source model of embeddings, then codewords and gains through the channel.

Categories are the labels of the train split, or, with `--unlabelled`, clusters that k-means finds in its embeddings.
"""

import time
from typing import Final

import torch

from lab.data.codec_data import CodecData, LabelledEmbeddings
from lab.train.common.data import open_data
from lab.train.common.fit import fit
from lab.train.common.output import export, write_card
from lab.train.common.scores import Row, by_snr, score_embeddings
from lab.train.nested import NestedSettings
from lab.train.nested.code import DESIGN_SNRS_DB, CodeParameters, CodeTraining, Material
from lab.train.nested.few import LENGTH, warn_of_few
from lab.train.nested.source import Source, find_clusters, fit_source
from lab.train.nested.unlabelled import choose
from shared.codecs.embedding.analogue import ALWAYS_DB, NEVER_DB, Analogue
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import NestedModel
from shared.types import Embeddings

_MANY: Final = 5000
"""Learned vectors from which on the settings hold as they are."""


def train_nested(settings: NestedSettings) -> list[Row]:
    """Train, write weights and model card; gives the card's rows. A run that was killed resumes."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    settings = settings.for_labels_of(data)
    model, analogue = fit_model(data, settings)
    tensors = model.state_dict() | ({} if analogue is None else analogue._asdict())
    export(tensors, settings, "model.safetensors", codec="nested", clip_fingerprint=clip.fingerprint)
    if not settings.unlabelled:
        warn_of_few(Nested.of_model(model, LENGTH, None, "cpu"), data)
    seconds = time.monotonic() - started
    codecs = [Nested.of_model(model, k, None, "cpu", analogue) for k in Nested.lengths]
    rows = score_embeddings(codecs, data.tests)
    values = {
        "accuracy": by_snr(rows, "semantic_accuracy"),
        "cosine": by_snr(rows, "cosine"),
        "learned": data.describe(clip),
        "clusters": len(model.bias) if settings.unlabelled else 0,
        "from_db": [] if analogue is None else _thresholds(analogue),
    }
    write_card("nested/card.md.j2", settings, seconds, **values)
    return rows


def fit_model(data: CodecData, settings: NestedSettings) -> tuple[NestedModel, Analogue | None]:
    """Fit to embeddings of any width; without labels, with the mode that has no category.

    The validation senders decide when to stop, all validation vectors how many clusters there are.
    """
    settings = _fitting(settings, len(data.train.labels))
    if settings.unlabelled:
        return choose(data, settings, lambda count: _fit(data, settings, count))
    return _fit(data, settings), None


def _fitting(settings: NestedSettings, learned: int) -> NestedSettings:
    """Settings with shorter rounds and smaller batches for few vectors, which would only be seen more often."""
    if learned >= _MANY:
        return settings
    few = {
        "steps": min(settings.steps, 60),
        "batch_size": min(settings.batch_size, 256),
        "rounds": min(settings.rounds, 8),
    }
    return settings.model_copy(update=few)


def _fit(data: CodecData, settings: NestedSettings, clusters: int | None = None) -> NestedModel:
    train, collections = _categories(data, settings.seed, clusters)
    source = fit_source(train, data.sender.embeddings, settings.axes, settings.seed)
    held_out = _material(source, data.sender.embeddings, collections)
    training = CodeTraining(_material(source, data.train.embeddings, collections), held_out, settings)
    fit(training, settings, f"{_name(settings, clusters)}-{data.fingerprint}", settings.rounds, settings.patience)
    return _assemble(source, training.code.cpu())


def _categories(data: CodecData, seed: int, clusters: int | None) -> tuple[LabelledEmbeddings, torch.Tensor]:
    """Embeddings with the number of their category, and the collection of each category; clusters are of one."""
    if clusters is None:
        return data.train, torch.from_numpy(data.collections)
    found = find_clusters(data.train.embeddings, clusters, seed)
    return data.train._replace(labels=found), torch.zeros(clusters, dtype=torch.int64)


def _thresholds(analogue: Analogue) -> list[dict[str, str]]:
    """One row for the card: the design SNR from which on each length is sent without a category."""
    said = (
        "always" if point == ALWAYS_DB else "never" if point == NEVER_DB else f"{point:g} dB"
        for point in analogue.from_db.tolist()
    )
    return [{f"k = {k}": one for k, one in zip(Nested.lengths, said, strict=True)}]


def _material(source: Source, embeddings: Embeddings, collections: torch.Tensor) -> Material:
    x = torch.from_numpy(embeddings)
    categories = source.categorize(x)
    spread = source.axes.square().sum(dim=1).sqrt().expand(len(source.bias), -1)
    return Material(categories, source.coordinates(x, categories), spread, collections)


def _name(settings: NestedSettings, clusters: int | None) -> str:
    """Of a run: all that decides about its result, but for the data."""
    kind = "labels" if clusters is None else f"{clusters}-clusters"
    numbers = (settings.axes, settings.rounds, settings.steps, settings.batch_size, settings.seed)
    return "-".join([kind, *map(str, numbers)])


@torch.no_grad()
def _assemble(source: Source, code: CodeParameters) -> NestedModel:
    codewords = torch.stack([code.codewords(point) for point in range(len(DESIGN_SNRS_DB))])
    points_db = torch.tensor(DESIGN_SNRS_DB)
    return NestedModel(**vars(source), points_db=points_db, words=codewords, gains=code.gains.detach())
