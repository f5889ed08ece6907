"""Trains the codec `nested`: first the source model of embeddings, then codewords and gains through the channel.

Categories are the labels of the train split, or, with `--unlabelled`, clusters that k-means finds in its embeddings.
"""

import time

import torch

from lab.data.codec_data import CodecData, LabelledEmbeddings
from lab.train.common.data import open_data
from lab.train.common.fit import fit
from lab.train.common.output import export, write_card
from lab.train.common.scores import Row, by_snr, score_embeddings
from lab.train.nested import NestedSettings
from lab.train.nested.code import DESIGN_SNRS_DB, CodeParameters, CodeTraining, Material
from lab.train.nested.source import Source, find_clusters, fit_source
from shared.codecs.embedding.nested import Nested
from shared.codecs.embedding.nested_model import NestedModel
from shared.types import Embeddings


def train_nested(settings: NestedSettings) -> list[Row]:
    """Train, write weights and model card; gives the card's rows. A run that was killed resumes."""
    started, (clip, data) = time.monotonic(), open_data(settings)
    model = fit_model(data, settings)
    export(model.state_dict(), settings, "model.safetensors", codec="nested", clip_fingerprint=clip.fingerprint)
    seconds = time.monotonic() - started
    codecs = [Nested(model, k, None, "cpu") for k in Nested.lengths]
    rows = score_embeddings(codecs, data.tests)
    values = {
        "accuracy": by_snr(rows, "semantic_accuracy"),
        "cosine": by_snr(rows, "cosine"),
        "learned": data.describe(clip),
    }
    write_card("nested/card.md.j2", settings, seconds, **values)
    return rows


def fit_model(data: CodecData, settings: NestedSettings) -> NestedModel:
    """Fit source and code to embeddings of any width; early stopping uses the validation senders."""
    train, collections = _categories(data, settings)
    source = fit_source(train, data.sender.embeddings, settings.axes, settings.seed)
    held_out = _material(source, data.sender.embeddings, collections)
    training = CodeTraining(_material(source, data.train.embeddings, collections), held_out, settings)
    fit(training, settings, f"{_name(settings)}-{data.fingerprint}", settings.rounds, settings.patience)
    return _assemble(source, training.code.cpu())


def _categories(data: CodecData, settings: NestedSettings) -> tuple[LabelledEmbeddings, torch.Tensor]:
    """Embeddings with the number of their category, and the collection of each category; clusters are of one."""
    if not settings.unlabelled:
        return data.train, torch.from_numpy(data.collections)
    found = find_clusters(data.train.embeddings, settings.clusters, settings.seed)
    return data.train._replace(labels=found), torch.zeros(settings.clusters, dtype=torch.int64)


def _material(source: Source, embeddings: Embeddings, collections: torch.Tensor) -> Material:
    x = torch.from_numpy(embeddings)
    categories = source.categorize(x)
    spread = source.axes.square().sum(dim=1).sqrt()
    return Material(categories, source.coordinates(x, categories), spread, collections)


def _name(settings: NestedSettings) -> str:
    """Of a run: all that decides about its result, but for the data."""
    kind = f"{settings.clusters}-clusters" if settings.unlabelled else "labels"
    numbers = (settings.axes, settings.rounds, settings.steps, settings.batch_size, settings.seed)
    return "-".join([kind, *map(str, numbers)])


@torch.no_grad()
def _assemble(source: Source, code: CodeParameters) -> NestedModel:
    codewords = torch.stack([code.codewords(point) for point in range(len(DESIGN_SNRS_DB))])
    points_db = torch.tensor(DESIGN_SNRS_DB)
    return NestedModel(**vars(source), points_db=points_db, words=codewords, gains=code.gains.detach())
