"""Any model that open_clip knows, from weights that are there. Importing this takes seconds."""

from pickle import UnpicklingError
from typing import Any

import huggingface_hub
import open_clip
from torch import nn

from shared.clip.quiet import without_warnings
from shared.clip.tower import register_shipped
from shared.clip.towers import TextTower, Towers, fingerprint_of_model
from shared.clip.weights import Weights, find_weights
from shared.errors import DataLoss, InvalidSetting, NotFound


def open_clip_towers(model: str, weights: str | None, *, download: bool = False) -> Towers:
    """Load a model by its name. weights, download: see `load_clip`."""
    register_shipped()
    config = _config(model)
    _refuse_hidden_download(model, config, download)
    built = _build(model, config, find_weights(model, weights, download))
    settings, visual = built.visual.preprocess_cfg, built.visual
    digits = fingerprint_of_model(model, settings, built.state_dict())
    parameters = sum(parameter.numel() for parameter in built.parameters())
    built.visual = nn.Identity()  # the engine has what it needs of the tower
    text = TextTower(built, open_clip.get_tokenizer(model))
    return Towers(model, settings, int(config["embed_dim"]), digits, parameters, visual, lambda: text)


def _config(model: str) -> dict[str, Any]:
    config: dict[str, Any] | None = open_clip.get_model_config(model) if model in open_clip.list_models() else None
    if config is None:
        version = open_clip.__version__
        raise NotFound(
            f"open_clip {version} knows no model {model!r}; try clip-tiny, clip-scenes, ViT-B-32 or ViT-L-14."
        )
    return config


def _refuse_hidden_download(model: str, config: dict[str, Any], download: bool) -> None:
    """Some text towers and tokenizers live on a hub, and open_clip would fetch them without a word."""
    text = config["text_cfg"]
    remote = "hf_model_name" in text or "hf_tokenizer_name" in text or "siglip" in model.lower()
    if remote and not (download or huggingface_hub.constants.HF_HUB_OFFLINE):
        raise InvalidSetting(
            f"{model} takes its text tower or tokenizer from Hugging Face: ask for the download, "
            "or set HF_HUB_OFFLINE=1 to use what the cache holds."
        )


def _build(model: str, config: dict[str, Any], weights: Weights) -> Any:
    try:
        with without_warnings():
            return open_clip.create_model(
                model,
                pretrained=str(weights.path),
                require_pretrained=True,
                force_quick_gelu=weights.quick_gelu or bool(config.get("quick_gelu")),
                force_preprocess_cfg=weights.preprocess,
            )
    except Exception as error:  # torch, safetensors, pickle and zip each have their own
        if isinstance(error, UnpicklingError) and "GLOBAL" in str(error):
            raise DataLoss(
                f"{weights.path} holds more than weights, such as a training's state, and code of strangers is not "
                "run. If you trust it, keep the weights: "
                "torch.save(torch.load(FILE, weights_only=False)['state_dict'], NEW)"
            ) from error
        raise DataLoss(f"{weights.path} holds no weights that fit {model}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
