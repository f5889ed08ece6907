"""All trainers. `semlink train` makes its commands of this table, and `semlink paper` its list of what to train.

Importing it loads no other module.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple


class Trainer(NamedTuple):
    """A row of the registry.

    function: "module:name", which takes the settings
    settings: "module:name" of their class, in a module that loads no torch
    help: one line
    trial: changes of the settings for `semlink paper --trial`; None if `semlink paper` does not train it
    """

    function: str
    settings: str
    help: str
    trial: Mapping[str, Any] | None = None


def _row(folder: str, about: str, trial: Mapping[str, Any] | None = None, function: str = "") -> Trainer:
    """A trainer in `lab.train.FOLDER`, with names by convention: `train_label` in its `train` takes `LabelSettings`."""
    settings = f"{folder.title().replace('_', '')}Settings"
    return Trainer(
        f"lab.train.{folder}.train:{function or f'train_{folder}'}", f"lab.train.{folder}:{settings}", about, trial
    )


_NESTED_TRIAL: Final = {"rounds": 1, "steps": 5, "axes": 16}

TRAINERS: Final[Mapping[str, Trainer]] = MappingProxyType(
    {
        "judge": _row("answerer", "Train the network that answers questions about scenes"),
        "witness": _row("answerer", "Train a second, independent network that answers questions about scenes"),
        "klt-relevance": _row("klt_relevance", "Make the code of blocks that a question is about"),
        "uo-isc": _row("uo_isc", "Train the codec that sends the tokens that a question is about"),
        "uo-isc-unaligned": _row("uo_isc", "Train it without alignment by the question, an ablation"),
        "uo-isc-no-intent": _row("uo_isc", "Train it without the intent, an ablation"),
        "uo-isc-adversary": _row("uo_isc", "Train it with an adversary, which the shipped one has not"),
        "uo-isc-clip": _row("uo_isc", "Train it with the towers of clip-scenes in place of the judge's"),
        "uo-isc-channel": _row("uo_isc", "Train it with a last stage through a channel with wrong bits"),
        "clip-tiny": _row("clip", "Train the small CLIP"),
        "clip-scenes": _row("clip_scenes", "Train the CLIP that knows scenes of several objects"),
        "kbsc": _row("kbsc", "Train the codec of the first paper", {"epochs": 2}),
        "kbsc-authors": _row("kbsc", "Train the same network in its authors' own channel", function="train_authors"),
        "nested": _row("nested", "Train the nested codec, one model for all lengths", _NESTED_TRIAL),
        "nested-unlabelled": _row(
            "nested", "Train the nested codec on clusters instead of labels", {**_NESTED_TRIAL, "clusters": 20}
        ),
        "label": _row("label", "Train the codec that sends the number of the category", {"epochs": 1, "steps": 20}),
        "vq-digital": _row("vq", "Make the digital competitor that quantizes the embedding", {}),
        "deepjscc": _row("jscc", "Train the convolutional codec of pictures"),
        "swinjscc": _row("jscc", "Train the small Swin codec of pictures"),
        "digital-pictures": _row(
            "digital_pictures", "Simulate at which SNR each modulation and code rate carries a picture"
        ),
    }
)
