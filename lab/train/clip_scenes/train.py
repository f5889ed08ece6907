"""Trains clip-scenes: scenes, their cells, captions, and questions with their answers, pulled into one space.

    loss = captions + questions + cells

captions: of some objects of a scene. questions: with the right answer, against the other answers. cells: the hidden
state of the cell of an object, projected as the whole picture is, against the names of all shapes in all colours, of
all shapes, and of all colours. AdamW, cosine; what ships is a moving average of the weights.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np
import open_clip
import torch
from torch import Tensor
from torch.nn.functional import normalize

from lab.train.clip_scenes import ClipScenesSettings
from lab.train.clip_scenes import losses as lost
from lab.train.clip_scenes.lessons import MOST, SceneLesson, Tokenize, scene_lesson
from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.output import count_parameters, export, percent, write_card
from lab.train.common.precision import mixed_precision
from lab.train.common.schedule import warm_cosine
from shared.clip.name import SCENES
from shared.clip.quiet import without_warnings
from shared.clip.tower import register_shipped
from shared.datasets.scenes import COLOUR_NAMES, SHAPE_NAMES
from shared.datasets.scenes.captions import COMBINATIONS, name_of, names_of_colours, names_of_shapes
from shared.device import use_threads

_SPLITS: Final = ("seen", "unseen-combinations", "unseen-shapes")
_MOST_SCALE: Final = 100.0
_CHUNK: Final = 50


class ClipScenesTraining(Training):
    """The model in training; the last round is kept."""

    def __init__(self, settings: ClipScenesSettings) -> None:
        super().__init__(settings.steps, settings.seed)
        register_shipped()
        self._settings = settings
        with without_warnings():
            self.model: Any = open_clip.create_model(SCENES).to(memory_format=torch.channels_last)
        torch.nn.init.constant_(self.model.logit_scale, math.log(settings.scale))
        self.average: Any = moving_average(self.model, settings.average_decay)
        tokenizer: Any = open_clip.get_tokenizer(SCENES)
        tokens: Any = cache(lambda text: tokenizer([text])[0])  # questions come again and again
        self._tokenize: Tokenize = lambda texts: torch.stack([tokens(text) for text in texts])
        cfg = self.model.visual.preprocess_cfg
        for name in ("mean", "std"):
            self.register_buffer(f"_{name}", torch.tensor(cfg[name]).view(1, 3, 1, 1), persistent=False)
        self._mean: Tensor
        self._std: Tensor

    def batches(self) -> Iterator[SceneLesson]:
        """Scenes of all combinations, which come once."""
        size = self.share(self._settings.scenes)
        for indices in self.fresh(size):
            yield scene_lesson("train", indices, self._settings.questions, self._tokenize)

    def training_step(self, batch: SceneLesson, _: int) -> Tensor:
        """See the loss above."""
        images, cells = self._seen(self.model, batch)
        scale = self.model.logit_scale.exp().clamp(max=_MOST_SCALE)
        captions = self._read(self.model, batch.captions)
        loss = lost.of_captions(images, captions, batch.right, scale)
        loss = loss + lost.of_answers(images[batch.scene], self._questions(self.model, batch), batch.answers, scale)
        texts, shapes = self._read(self.model, self._names()), COMBINATIONS + len(SHAPE_NAMES)
        kinds = (texts[:COMBINATIONS], texts[COMBINATIONS:shapes], texts[shapes:])
        for names, rows in zip(kinds, kinds_of(batch.combinations), strict=True):
            loss = loss + lost.of_cells(cells, names, rows, scale)
        return self.logged(loss)

    def _seen(self, model: Any, batch: SceneLesson) -> tuple[Tensor, Tensor]:
        """Embeddings of pictures [B, 512] and of the cells of objects [M, 512], float32, length 1."""
        pixels = ((batch.pictures - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        picture, row, column = batch.cells
        with mixed_precision(self.device):
            maps = model.visual.trunk.maps(pixels)[-1]
            whole, parts = (model.visual.head(each) for each in (maps.amax((2, 3)), maps[picture, :, row, column]))
        return normalize(whole.float(), dim=1), normalize(parts.float(), dim=1)

    def _questions(self, model: Any, batch: SceneLesson) -> Tensor:
        """Embeddings of questions with each answer: [Q, MOST, 512], 0 where there is none."""
        there = batch.questions.any(2)
        found = torch.zeros(*there.shape, model.visual.head.proj.out_features, device=self.device)
        found[there] = self._read(model, batch.questions[there])
        return found

    @staticmethod
    def _read(model: Any, tokens: Tensor) -> Tensor:
        texts: Tensor = model.encode_text(tokens, normalize=True).float()
        return texts

    def _names(self) -> Tensor:
        """Tokens of the names of all combinations, then of shapes, then of colours."""
        names = [*map(name_of, range(COMBINATIONS)), *names_of_shapes(), *names_of_colours()]
        return self._tokenize(names).to(self.device)

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the moving average."""
        self.average.update_parameters(self.model)

    def configure_optimizers(self) -> Any:
        """AdamW; its rates rise, then fall as a cosine."""
        settings, parameters = self._settings, list(self.model.named_parameters())
        image = [parameter for name, parameter in parameters if name.startswith("visual.")]
        text = [parameter for name, parameter in parameters if not name.startswith("visual.")]
        groups: list[dict[str, Any]] = [
            {"params": image},
            {"params": text, "lr": settings.text_lr, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, settings.lr, (0.9, 0.98), weight_decay=0.02)
        return warm_cosine(optimizer, settings.warmup_steps, settings.rounds * self.steps)

    def measure(self) -> dict[str, float]:
        """See `figures`."""
        return self.figures("seen", self._settings.validated)

    @torch.inference_mode()
    def figures(self, split: str, scenes: int) -> dict[str, float]:
        """Of scenes that it never saw, by the averaged model, shares of 1.

        caption: pictures whose nearest caption, of `_CHUNK`, is true of them. answer: questions whose nearest answer is
        right. cell: objects whose cell is nearest to their name, of 100
        """
        model, sums = self.average.module, {"caption": 0.0, "answer": 0.0, "cell": 0.0}
        counts = dict.fromkeys(sums, 0)
        names = self._read(model, self._names())[:COMBINATIONS]
        for start in range(0, scenes, _CHUNK):
            indices = (1 << 40) + np.arange(start, min(scenes, start + _CHUNK))
            batch = SceneLesson(*(each.to(self.device) for each in scene_lesson(split, indices, 6, self._tokenize)))
            images, cells = self._seen(model, batch)
            nearest = (images @ self._read(model, batch.captions).T).argmax(1)
            answers = torch.einsum("qd,qad->qa", images[batch.scene], self._questions(model, batch))
            answers[~batch.questions.any(2)] = -2
            right = {
                "caption": batch.right.gather(1, nearest[:, None]) > 0,
                "answer": answers.argmax(1) == batch.answers,
                "cell": (cells @ names.T).argmax(1) == batch.combinations,
            }
            for name, values in right.items():
                sums[name] += float(values.sum())
                counts[name] += values.numel()
        return {name: sums[name] / counts[name] for name in sums}


def kinds_of(combinations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The combinations themselves, their shapes, and their colours."""
    return combinations, combinations // len(COLOUR_NAMES), combinations % len(COLOUR_NAMES)


def train_clip_scenes(settings: ClipScenesSettings) -> list[dict[str, float]]:
    """Train clip-scenes, or finish a run that was killed; write weights and model card; gives the curves."""
    use_threads(settings.threads)
    training = ClipScenesTraining(settings)
    curves = fit(training, settings, f"seed{settings.seed}-rounds{settings.rounds}", settings.rounds)
    model = training.average.module
    export(model.state_dict(), settings, "model.safetensors", model=settings.name)
    rows = [{"split": split} | percent(training.figures(split, settings.held_out)) for split in _SPLITS]
    values = {
        "rows": rows,
        "image_parameters": count_parameters(model.visual),
        "text_parameters": count_parameters(model) - count_parameters(model.visual),
        "rounds": len(curves),
        "most": MOST,
        "captions": _CHUNK,
    }
    write_card("clip_scenes/card.md.j2", settings, sum(row["seconds"] for row in curves), **values)
    return curves
