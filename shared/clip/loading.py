"""Loads CLIP: those that ship, or any model that open_clip knows, from weights or from a bundle without torch."""

from pathlib import Path

import structlog

from shared.clip.bundle import clip_of_bundle, shipped_bundle
from shared.clip.kept import keep_fastest, kept_clip
from shared.clip.model import Clip
from shared.clip.name import MODEL
from shared.device import NO_TORCH, device_type, has_torch
from shared.errors import InvalidSetting, NotFound

log = structlog.get_logger()


def load_clip(
    model: str = MODEL,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    *,
    download: bool = False,
    engine: str = "torch",
    bundle: Path | None = None,
) -> Clip:
    """Load a CLIP model.

    model: `clip-tiny`, `clip-scenes`, or a name that open_clip knows, such as `ViT-B-32`
    weights: a file or a tag such as `openai`; None for those that ship
    device: `auto`, `cpu` or `cuda`
    precision: of the image tower: `auto`, `float32` or `bfloat16`
    engine: what runs the image tower: `auto`, `torch` or `openvino`. With `auto` the faster one is found by measuring,
    once for each machine and version: a later start of clip-tiny on a processor loads no torch, see `shared.clip.kept`
    download: fetch what the cache does not hold; without it, no network is touched
    bundle: folder that `semlink export` made, in place of model and weights: its CLIP runs in OpenVINO without torch

    Where torch is not installed, clip-tiny comes from the bundle that ships, which holds the same weights.
    """
    if bundle is None and not has_torch() and (model, weights) == (MODEL, None):
        log.info("CLIP runs from the bundle that ships, since torch is not installed")
        return clip_of_bundle(shipped_bundle(), precision)
    if bundle is not None:
        if (model, weights, engine) not in ((MODEL, None, "auto"), (MODEL, None, "openvino")):
            raise InvalidSetting(
                f"a bundle with clip {model}, weights {weights} and engine {engine}: the bundle says which CLIP it "
                "holds, and OpenVINO runs it; leave the others out"
            )
        return clip_of_bundle(bundle, precision)
    if not has_torch():
        raise NotFound(f"CLIP {model} with weights {weights} cannot be loaded: {NO_TORCH}, or give --bundle")
    kind = device_type(device)
    keeps = kind == "cpu" and (model, weights) == (MODEL, None)
    if keeps and (kept := kept_clip(engine, precision)) is not None:
        return kept
    from shared.clip.in_torch import clip_of_weights  # noqa: PLC0415 - a light installation has no torch

    clip = clip_of_weights(model, weights, kind, precision, download=download, engine=engine)
    if keeps:
        keep_fastest(engine, precision, clip)
    return clip
