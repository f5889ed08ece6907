"""clip-tiny as shipped: its image tower without open_clip, which takes seconds to import; the text tower with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file

from shared.clip.name import MODEL
from shared.clip.tower import TinyTower
from shared.clip.towers import TextTower, Towers, fingerprint_of_model
from shared.errors import DataLoss
from shared.printable import first_line

PREPROCESS: Final[dict[str, Any]] = {
    "size": (32, 32),
    "mode": "RGB",
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}
"""What open_clip makes of clip-tiny's configuration; a test compares the two."""

_BUFFERS: Final = ("running_mean", "running_var", "num_batches_tracked")
_IMAGE: Final = "visual."


def tiny_towers(path: Path, text: Callable[[], TextTower]) -> Towers:
    """clip-tiny of a safetensors file. Raises DataLoss for one that holds something else."""
    dim = int(json.loads(Path(__file__).with_name(f"{MODEL}.json").read_bytes())["embed_dim"])
    image = TinyTower(dim)
    try:
        state = {name: each.float() if each.is_floating_point() else each for name, each in load_file(path).items()}
        image.load_state_dict(
            {name.removeprefix(_IMAGE): each for name, each in state.items() if name.startswith(_IMAGE)}
        )
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DataLoss(f"{path} holds no weights that fit {MODEL}: {first_line(error)}") from error
    learned = (each for name, each in state.items() if not name.endswith(_BUFFERS))
    return Towers(
        MODEL,
        PREPROCESS,
        dim,
        fingerprint_of_model(MODEL, PREPROCESS, state),
        sum(each.numel() for each in learned),
        image,
        text,
    )
