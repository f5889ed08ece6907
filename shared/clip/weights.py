"""Where a model's weights lie. Nothing is fetched unless asked, and nothing stands in for what is missing."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import huggingface_hub
import open_clip
from open_clip.pretrained import download_pretrained, get_pretrained_cfg

from shared.clip.name import SHIPPED
from shared.clip.shipped import shipped_weights
from shared.errors import InvalidSetting, NotFound, Unavailable
from shared.local_path import local_path
from shared.printable import first_line

_PREPROCESS = ("mean", "std", "interpolation", "resize_mode", "fill_color", "size", "mode")
_HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class Weights:
    """A weight file and what its publisher says about it.

    quick_gelu: trained with the sigmoid approximation of GELU, as OpenAI's models were
    preprocess: mean, std and the like, where they differ from open_clip's default
    """

    path: Path
    quick_gelu: bool = False
    preprocess: dict[str, Any] = field(default_factory=dict)


def find_weights(model: str, weights: str | None, download: bool) -> Weights:
    """Find the weights of a model.

    model: a name that open_clip knows
    weights: a file, a tag such as `openai`, or None for the weights that SemLink ships, of clip-tiny and clip-scenes
    download: fetch a tag that the cache does not hold
    """
    if weights is None:
        return Weights(_shipped(model))
    if published := get_pretrained_cfg(model, weights):  # an empty dictionary for what is no tag
        return _published(model, weights, published, download)
    path = local_path(weights)
    if not path.is_file():
        raise NotFound(f"Weights {weights!r} are neither a file nor a tag of {model}; its tags: {_tags(model)}.")
    return Weights(path)


def _shipped(model: str) -> Path:
    if model not in SHIPPED:
        raise InvalidSetting(f"{model} comes without weights: give a file or one of its tags ({_tags(model)}).")
    return shipped_weights(model)


def _published(model: str, tag: str, published: dict[str, Any], download: bool) -> Weights:
    path = _cached(published)
    if path is None and not download:
        raise NotFound(
            f"The weights {tag!r} of {model} are not in the cache of this machine. "
            "Ask for the download (download=True, --download), or give a file instead."
        )
    preprocess = {key: published[key] for key in _PREPROCESS if key in published}
    return Weights(path or _download(model, tag, published), bool(published.get("quick_gelu")), preprocess)


def _cached(published: dict[str, Any]) -> Path | None:
    """The file in the Hugging Face cache or in open_clip's own, if it is there."""
    repository, _, name = str(published.get("hf_hub", "")).rpartition("/")
    for candidate in ((name,) if name else _HUB_FILES) if repository else ():
        found = huggingface_hub.try_to_load_from_cache(repository, candidate)
        if isinstance(found, str):
            return Path(found)
    own = Path(os.path.expanduser("~/.cache/clip"), Path(str(published.get("url", ""))).name)  # noqa: PTH111 - HOME may lack
    return own if own.is_file() else None


def _download(model: str, tag: str, published: dict[str, Any]) -> Path:
    try:
        return Path(download_pretrained(published))
    except Exception as error:  # open_clip, the hub and urllib each have their own
        raise Unavailable(f"The weights {tag!r} of {model} could not be downloaded: {first_line(error)}") from error


def _tags(model: str) -> str:
    return ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
