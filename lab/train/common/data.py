"""The embeddings that a codec learns from, by its settings."""

from rich.console import Console
from rich.progress import Progress

from lab.data.codec_data import CodecData, load_codec_data
from lab.data.features import ClipChoice, load_choice
from lab.train.common.settings import EmbeddingSettings
from shared.clip import Clip


def open_data(settings: EmbeddingSettings) -> tuple[Clip, CodecData]:
    """Load the CLIP, and embed the pictures or take their embeddings from the cache."""
    clip = load_choice(ClipChoice(settings.clip, settings.weights), settings.device)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("embedding pictures", total=None)
        data = load_codec_data(
            clip,
            settings.data,
            settings.features,
            settings.seed,
            drawn=settings.drawn,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    return clip, data
