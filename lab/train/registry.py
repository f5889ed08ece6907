"""All trainers. `semlink train` makes its commands of this table, and `semlink paper` its list of what to train.

Importing it loads no other module.
"""

from collections.abc import Mapping
from importlib import import_module
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


TRAINERS: Final[Mapping[str, Trainer]] = MappingProxyType(
    {
        "clip-tiny": Trainer("lab.train.clip.train:train_clip", "lab.train.clip:ClipSettings", "Train the small CLIP"),
        "kbsc": Trainer(
            "lab.train.kbsc.train:train_kbsc",
            "lab.train.kbsc:KbscSettings",
            "Train the codec of the first paper",
            trial={"epochs": 2},
        ),
        "kbsc-authors": Trainer(
            "lab.train.kbsc.train:train_authors",
            "lab.train.kbsc:KbscSettings",
            "Train the same network in its authors' own channel",
        ),
        "nested": Trainer(
            "lab.train.nested.train:train_nested",
            "lab.train.nested:NestedSettings",
            "Train the nested codec, one model for all lengths",
            trial={"rounds": 1, "steps": 5, "axes": 16},
        ),
        "nested-unlabelled": Trainer(
            "lab.train.nested.train:train_nested",
            "lab.train.nested:NestedSettings",
            "Train the nested codec on clusters instead of labels",
            trial={"rounds": 1, "steps": 5, "axes": 16, "clusters": 20},
        ),
        "label": Trainer(
            "lab.train.label.train:train_label",
            "lab.train.label:LabelSettings",
            "Train the codec that sends the number of the category",
            trial={"epochs": 1, "steps": 20},
        ),
        "vq-digital": Trainer(
            "lab.train.vq.train:train_vq",
            "lab.train.vq:VqSettings",
            "Make the digital competitor that quantizes the embedding",
            trial={"bursts": 2, "budgets": (12, 32)},
        ),
        "deepjscc": Trainer(
            "lab.train.jscc.train:train_jscc",
            "lab.train.jscc:JsccSettings",
            "Train the convolutional codec of pictures",
        ),
        "swinjscc": Trainer(
            "lab.train.jscc.train:train_jscc",
            "lab.train.jscc:JsccSettings",
            "Train the small Swin codec of pictures",
        ),
        "digital-pictures": Trainer(
            "lab.train.digital_pictures.train:train_digital_pictures",
            "lab.train.digital_pictures:DigitalPicturesSettings",
            "Simulate at which SNR each modulation and code rate carries a picture",
        ),
    }
)


def load(target: str) -> Any:
    """The attribute that "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
