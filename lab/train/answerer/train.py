"""Trains an answerer on scenes of all combinations, as a vision-language model knows all of them.

    loss = cross-entropy of the answer + gates + names

gates: of all cells, which hold an object that is asked about. names: of the tower alone, which cells hold an object,
and of which shape and colour. AdamW, cosine; what is validated and shipped is a moving average of the weights.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.train.answerer import AnswererSettings
from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.output import count_parameters, export, percent, write_card
from lab.train.common.precision import mixed_precision
from lab.train.common.schedule import warm_cosine
from shared.codecs.answerers.answerer import Answerer, cells_of, to_unit_range
from shared.codecs.answerers.network import CELLS, AnswererNetwork
from shared.datasets.drawn import SHAPES
from shared.datasets.scenes import KINDS, Objects, Questions, draw_scenes, questions_about
from shared.datasets.scenes.words import ANSWERS, NO, YES
from shared.device import use_threads

_GATES: Final = 0.5
_NAMES: Final = 0.5
_SMOOTHING: Final = 0.02
_OBJECT_WEIGHT: Final = 5.0
"""Of a cell with an object against one without, of which there are many more."""
_CHUNK: Final = 100
_SPLITS: Final = ("seen", "unseen-combinations", "unseen-shapes")


class Lesson(NamedTuple):
    """A batch. pictures: [B, 3, 64, 64]. words: [Q, 9]. answer, scene: [Q]. gates: [Q, 8, 8], 0 or 1.

    cells: of each object its picture, row, column, shape and colour: [5, M]
    """

    pictures: Tensor
    words: Tensor
    answer: Tensor
    scene: Tensor
    gates: Tensor
    cells: Tensor


def lesson(split: str, indices: np.ndarray[Any, Any], questions: int) -> Lesson:
    """Draw scenes and ask about them."""
    scenes, asked = draw_scenes(split, indices), questions_about(split, indices, questions)
    scene, slot = np.nonzero(scenes.objects.there)
    column, row = cells_of(scenes.objects.x, scenes.objects.y)
    at = tuple(values[scene, slot] for values in (row, column, scenes.objects.shape, scenes.objects.colour))
    numbers = (asked.words, asked.answer, asked.scene, gates_of(scenes.objects, asked), np.stack([scene, *at]))
    return Lesson(to_unit_range(scenes.pixels), *(torch.from_numpy(values) for values in numbers))


def gates_of(objects: Objects, asked: Questions) -> np.ndarray[Any, Any]:
    """1 at the cells that hold the centre of an object that is asked about: [Q, 8, 8], float32."""
    gates = np.zeros((len(asked.kind), CELLS, CELLS), np.float32)
    question, slot = np.nonzero(asked.about)
    column, row = cells_of(objects.x, objects.y)
    gates[question, row[asked.scene[question], slot], column[asked.scene[question], slot]] = 1
    return gates


class AnswererTraining(Training):
    """A network in training; the best round has the highest accuracy on scenes that it never saw."""

    monitor = "accuracy"

    def __init__(self, settings: AnswererSettings) -> None:
        super().__init__(settings.steps, settings.entropy)
        self._settings = settings
        self.network = AnswererNetwork(settings.width).to(memory_format=torch.channels_last)
        self.average: Any = moving_average(self.network, settings.average_decay)

    def batches(self) -> Iterator[Lesson]:
        """Scenes that come once; those of another seed are others."""
        size = self.share(self._settings.scenes)
        for indices in self.fresh(size):
            yield lesson("train", indices, self._settings.questions)

    def training_step(self, batch: Lesson, _: int) -> Tensor:
        """See the loss above."""
        with mixed_precision(self.device):
            thought, cells = self.network(batch.pictures, batch.words, batch.scene)
            names = self.network.naming(cells).float()
        answers = F.cross_entropy(thought.logits, batch.answer, label_smoothing=_SMOOTHING)
        gates = F.binary_cross_entropy_with_logits(thought.gates, batch.gates, reduction="sum") / len(batch.gates)
        return self.logged(answers + _GATES * gates + _NAMES * loss_of_names(names, batch.cells))

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the moving average."""
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """AdamW; its rate rises, then falls as a cosine."""
        optimizer = torch.optim.AdamW(self.network.parameters(), self._settings.lr, (0.9, 0.98), weight_decay=0.02)
        return warm_cosine(optimizer, self._settings.warmup_steps, self._settings.rounds * self.steps)

    def measure(self) -> dict[str, float]:
        """Accuracy on held-out scenes, all kinds and each."""
        return accuracies(Answerer(self._settings.name, self.average.module), "seen", self._settings.validated)


def loss_of_names(names: Tensor, cells: Tensor) -> Tensor:
    """Whether cells hold an object, and its shape and colour where they do.

    names: [B, 21, 8, 8], logits. cells: [5, M], as in `Lesson`
    """
    picture, row, column, shape, colour = cells
    there = torch.zeros_like(names[:, 0])
    there[picture, row, column] = 1
    at = names[picture, :, row, column]
    weight = names.new_tensor(_OBJECT_WEIGHT)
    found = F.binary_cross_entropy_with_logits(names[:, 0], there, pos_weight=weight)
    shapes, colours = at[:, 1 : 1 + len(SHAPES)], at[:, 1 + len(SHAPES) :]
    return found + F.cross_entropy(shapes, shape) + F.cross_entropy(colours, colour)


def accuracies(answerer: Answerer, split: str, scenes: int) -> dict[str, float]:
    """Accuracy of the answers, mean over questions: all, by kind, and for each answer to whether something is there."""
    asked = questions_about(split, range(scenes))
    numbers = np.empty_like(asked.answer)
    for start in range(0, scenes, _CHUNK):
        rows = np.flatnonzero((asked.scene >= start) & (asked.scene < start + _CHUNK))
        pixels = draw_scenes(split, range(start, min(scenes, start + _CHUNK))).pixels
        numbers[rows] = answerer.answer(pixels, asked.words[rows], asked.scene[rows] - start).numbers
    right, exists = numbers == asked.answer, asked.kind == KINDS.index("exists")
    found = {"accuracy": right.mean()} | {kind: right[asked.kind == number].mean() for number, kind in enumerate(KINDS)}
    found |= {f"{ANSWERS[answer]}_recall": right[exists & (asked.answer == answer)].mean() for answer in (YES, NO)}
    return {name: float(value) for name, value in found.items()}


def train_answerer(settings: AnswererSettings) -> list[dict[str, float]]:
    """Train an answerer, or finish a run that was killed; write weights and card; gives the curves."""
    use_threads(settings.threads)
    training = AnswererTraining(settings)
    curves = fit(
        training, settings, f"seed{settings.seed}-width{settings.width}-rounds{settings.rounds}", settings.rounds
    )
    network = training.average.module
    export(network.state_dict(), settings, "model.safetensors", width=str(settings.width))
    answerer = Answerer.from_file(settings.name, settings.out / "model.safetensors")
    rows = [{"split": split} | percent(accuracies(answerer, split, settings.held_out)) for split in _SPLITS]
    values = {"rows": rows, "parameters": count_parameters(network), "rounds": len(curves)}
    write_card("answerer/card.md.j2", settings, sum(row["seconds"] for row in curves), **values)
    return curves
