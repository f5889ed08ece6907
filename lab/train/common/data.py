"""The embeddings that a codec learns from, by its settings."""

import sys

from rich.console import Console
from rich.progress import Progress

from lab.data.codec_data import CodecData, merge, split_train
from lab.data.features import ClipChoice, cached_features, check_apart, load_choice, training_source
from lab.data.ready import ClipName, open_ready
from lab.train.common.settings import EmbeddingSettings
from shared.datasets import open_source
from shared.errors import InvalidSetting


def open_data(settings: EmbeddingSettings) -> tuple[ClipName, CodecData]:
    """The CLIP, and embeddings of pictures, or those that are ready.

    Raises Mismatch where the train part of a source holds test pictures, InvalidSetting without a source.
    """
    if bool(settings.data) == bool(settings.features):
        raise InvalidSetting("give --data DIR with pictures, or --features FILE with ready embeddings, one of them")
    return _ready(settings) if settings.features else _embedded(settings)


def _ready(settings: EmbeddingSettings) -> tuple[ClipName, CodecData]:
    fingerprint = settings.clip_fingerprint
    ready = open_ready(settings.features, ClipName("CLIP", fingerprint) if fingerprint else None)
    data = ready.codec_data(settings.seed)
    labels = f"{len(data.collections)} labels" if data.labelled else "no labels"
    print(
        f"{settings.features}: CLIP {ready.clip.fingerprint}, {labels}; {len(data.train.labels)} vectors to learn "
        f"from, {len(data.sender.labels) + len(data.kb.labels)} for validation, {len(ready.query)} queries",
        file=sys.stderr,
    )
    return ready.clip, data


def _embedded(settings: EmbeddingSettings) -> tuple[ClipName, CodecData]:
    """Load the CLIP, and embed the pictures or take their embeddings from the cache."""
    clip = load_choice(ClipChoice(settings.clip, settings.weights), settings.device)
    parts, tests = [], {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding pictures", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        for spec in [settings.data, "drawn"] if settings.drawn else [settings.data]:
            sources = (training_source(spec), open_source(spec, "query"), open_source(spec, "kb"))
            train, query, kb = (cached_features(source, clip, settings.cache, report) for source in sources)
            check_apart(query, train)
            check_apart(kb, train)
            parts.append(train)
            tests[sources[0].name] = (merge([query])[0], merge([kb])[0])
    return ClipName(clip.name, clip.fingerprint), split_train(*merge(parts), settings.seed, tests)
