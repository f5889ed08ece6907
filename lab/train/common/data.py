"""The embeddings that a codec learns from, by its settings."""

from rich.console import Console
from rich.progress import Progress

from lab.data.codec_data import CodecData, merge, split_train
from lab.data.features import ClipChoice, cached_features, check_apart, load_choice, training_source
from lab.train.common.settings import EmbeddingSettings
from shared.clip import Clip
from shared.datasets import open_source


def open_data(settings: EmbeddingSettings) -> tuple[Clip, CodecData]:
    """Load the CLIP, and embed the pictures or take their embeddings from the cache.

    Raises Mismatch where the train part of a source holds test pictures.
    """
    clip = load_choice(ClipChoice(settings.clip, settings.weights), settings.device)
    parts, tests = [], {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding pictures", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        for spec in [settings.data, "drawn"] if settings.drawn else [settings.data]:
            sources = (training_source(spec), open_source(spec, "query"), open_source(spec, "kb"))
            train, query, kb = (cached_features(source, clip, settings.features, report) for source in sources)
            check_apart(query, train)
            check_apart(kb, train)
            parts.append(train)
            tests[sources[0].name] = (merge([query])[0], merge([kb])[0])
    return clip, split_train(*merge(parts), settings.seed, tests)
