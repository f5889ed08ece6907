"""All trainers. `semlink train` makes its commands of this table, and `semlink paper` its list of what to train.

Importing it loads no torch: `Trainer.load` imports a trainer's code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from lab.train.clip import ClipSettings
from lab.train.common.settings import TrainSettings
from lab.train.digital_pictures import DigitalPicturesSettings
from lab.train.jscc import JsccSettings
from lab.train.kbsc import KbscSettings
from lab.train.label import LabelSettings
from lab.train.nested import NestedSettings
from lab.train.vq import VqSettings


@dataclass(frozen=True)
class Trainer:
    """A row of the registry.

    function: "module:name", takes the settings. settings: their class. help: one line
    trial: changes of the settings for `semlink paper --trial`; None where `semlink paper` does not train it
    """

    function: str
    settings: type[TrainSettings]
    help: str
    trial: Mapping[str, Any] | None = None

    def load(self) -> Callable[[TrainSettings], object]:
        """Import the training function."""
        module, _, name = self.function.partition(":")
        function: Callable[[TrainSettings], object] = getattr(import_module(module), name)
        return function


TRAINERS: Final[Mapping[str, Trainer]] = {
    "clip-tiny": Trainer("lab.train.clip.train:train_clip", ClipSettings, "Train the small CLIP"),
    "kbsc": Trainer(
        "lab.train.kbsc.train:train_kbsc", KbscSettings, "Train the codec of the first paper", trial={"epochs": 2}
    ),
    "kbsc-authors": Trainer(
        "lab.train.kbsc.train:train_authors", KbscSettings, "Train the same network in its authors' own channel"
    ),
    "nested": Trainer(
        "lab.train.nested.train:train_nested",
        NestedSettings,
        "Train the nested codec, one model for all lengths",
        trial={"rounds": 1, "steps": 5, "axes": 16},
    ),
    "nested-unlabelled": Trainer(
        "lab.train.nested.train:train_nested",
        NestedSettings,
        "Train the nested codec on clusters instead of labels",
        trial={"rounds": 1, "steps": 5, "axes": 16, "clusters": 20},
    ),
    "label": Trainer(
        "lab.train.label.train:train_label",
        LabelSettings,
        "Train the codec that sends the category's number, the plain digital competitor",
        trial={"epochs": 1, "steps": 20},
    ),
    "vq-digital": Trainer(
        "lab.train.vq.train:train_vq",
        VqSettings,
        "Make the digital competitor that quantizes the embedding",
        trial={"bursts": 2, "budgets": (12, 32)},
    ),
    "deepjscc": Trainer("lab.train.jscc.train:train_jscc", JsccSettings, "Train the convolutional codec of pictures"),
    "swinjscc": Trainer("lab.train.jscc.train:train_jscc", JsccSettings, "Train the small Swin codec of pictures"),
    "digital-pictures": Trainer(
        "lab.train.digital_pictures.train:train_digital_pictures",
        DigitalPicturesSettings,
        "Simulate at which SNR each modulation and code rate carries a picture",
    ),
}
