"""Trains clip-tiny: pictures and captions of CIFAR-100's train split and of the drawn set, pulled into one space.

pictures --augment--> image tower --.
                                    +--> contrastive losses --> SGD (image), AdamW (text) --> moving average
captions --sample---> text tower ---'
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lab.data.clip_data import TEMPLATES, Captions, ClipData
from lab.data.codec_data import LabelledEmbeddings
from lab.evaluate.metrics import semantic_accuracy, zero_shot_accuracy
from lab.train.clip import ClipSettings
from lab.train.clip.losses import caption_to_picture, picture_to_caption, picture_to_picture
from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.output import count_parameters, export, write_card
from lab.train.common.precision import mixed_precision
from shared.clip.name import MODEL
from shared.clip.preprocess import make_preprocess
from shared.clip.tower import register_shipped
from shared.types import Embeddings, Labels, Pixels


class ClipTraining(Training):
    """The model in training and its moving average, which is what is evaluated and shipped."""

    automatic_optimization = False  # two optimizers

    def __init__(self, settings: ClipSettings) -> None:
        register_shipped()
        torch.manual_seed(settings.seed)
        model: Any = open_clip.create_model(MODEL)
        preprocess = model.visual.preprocess_cfg
        self._data = ClipData(settings.data, make_preprocess(preprocess), settings.drawn_per_epoch)
        super().__init__(len(self._data) // settings.batch_size, settings.seed)
        self._settings, self._captions = settings, Captions(self._data.names, open_clip.get_tokenizer(MODEL))
        self.model: Any = model.to(memory_format=torch.channels_last)
        self.average: Any = moving_average(self.model, settings.averaging)
        self.register_buffer("_mean", _channels(preprocess["mean"]), persistent=False)
        self.register_buffer("_std", _channels(preprocess["std"]), persistent=False)
        self._mean: Tensor
        self._std: Tensor

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Pictures, their classes, and a caption for each class."""
        count, size = (self.share(number) for number in (len(self._data), self._settings.batch_size))
        for pixels, targets in self._data.epoch(self.current_epoch, count, size):
            yield pixels, targets, self._captions.sample()

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        """A step of both optimizers."""
        loss = self.logged(self._loss(*batch))
        self.manual_backward(loss)
        schedulers: Any = self.lr_schedulers()
        for optimizer, scheduler in zip(self.optimizers(), schedulers, strict=True):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
        self.average.update_parameters(self.model)

    def _loss(self, pixels: Tensor, targets: Tensor, tokens: Tensor) -> Tensor:
        settings = self._settings
        small = self.current_epoch < settings.small_share * settings.epochs
        images = self._images(self.model, pixels, settings.small_side if small else None)
        texts = self.model.encode_text(tokens, normalize=True)
        scale = self.model.logit_scale.exp().clamp(max=100)
        return (
            picture_to_caption(images, texts, targets, scale, settings.smoothing)
            + settings.caption_weight * caption_to_picture(images, texts, targets, scale)
            + settings.picture_weight * picture_to_picture(images, targets, settings.picture_temperature)
        )

    def _images(self, model: Any, pixels: Tensor, side: int | None = None) -> Tensor:
        """Embeddings of [B, 3, S, S], uint8, scaled to that side first: [B, 512], float32, L2-normalised."""
        images = (pixels.to(memory_format=torch.channels_last).float() / 255 - self._mean) / self._std
        if side is not None:
            images = interpolate(images, size=side, mode="bilinear", antialias=True)
        with mixed_precision(self.device):
            features = model.encode_image(images)
        return normalize(features.float(), dim=1)

    def configure_optimizers(self) -> Any:
        """SGD for the image tower, AdamW for the text tower, each with one cycle of the rate."""
        settings, parameters = self._settings, list(self.model.named_parameters())
        image = [parameter for name, parameter in parameters if name.startswith("visual.")]
        text = [parameter for name, parameter in parameters if not name.startswith("visual.")]
        optimizers = [
            SGD(image, settings.image_lr, momentum=0.9, weight_decay=settings.weight_decay, nesterov=True),
            AdamW(text, settings.text_lr, weight_decay=0.0),
        ]
        steps = settings.epochs * self.steps
        return optimizers, [_one_cycle(optimizer, settings.warmup * steps, steps) for optimizer in optimizers]

    @torch.inference_mode()
    def embed(self, pixels: Pixels) -> Embeddings:
        """Embeddings of pictures [N, S, S, 3] by the averaged model: [N, 512], float32, L2-normalised."""
        parts = torch.split(torch.from_numpy(pixels).permute(0, 3, 1, 2), 500)
        images = [self._images(self.average.module, part.to(self.device)) for part in parts]
        embeddings: Embeddings = torch.cat(images).cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def prototypes(self) -> Embeddings:
        """The mean caption of each class: [200, 512], float32, L2-normalised."""
        tokens = self._captions.tokens.to(self.device)
        texts = self.average.module.encode_text(tokens.flatten(0, 1), normalize=True)
        means = normalize(texts.reshape(*tokens.shape[:2], -1).mean(dim=1), dim=1)
        prototypes: Embeddings = means.float().cpu().numpy()
        return prototypes

    def measure(self) -> dict[str, float]:
        """The three figures of the card, on pictures that the model never learned from."""
        query, kb = self._embedded(self._data.cifar)
        tests, labels = np.concatenate([query.embeddings, kb.embeddings]), np.concatenate([query.labels, kb.labels])
        drawn_query, drawn_kb = self._embedded(self._data.drawn)
        return {
            "cifar_zero_shot": zero_shot_accuracy(tests, labels, self.prototypes()[: self._data.cifar_classes]),
            "cifar_nearest": semantic_accuracy(*query, *kb),
            "drawn_nearest": semantic_accuracy(*drawn_query, *drawn_kb),
        }

    def _embedded(self, part: Callable[[str], tuple[Pixels, Labels]]) -> list[LabelledEmbeddings]:
        """Queries, then knowledge base."""
        return [LabelledEmbeddings(self.embed(pixels), labels) for pixels, labels in map(part, ("query", "kb"))]


def train_clip(settings: ClipSettings) -> dict[str, float]:
    """Train clip-tiny, or finish a run that was killed; write weights and model card; give the last figures."""
    training = ClipTraining(settings)
    curves = fit(training, settings, f"epochs{settings.epochs}-seed{settings.seed}", settings.epochs)
    model, seconds = training.average.module, [row["seconds"] for row in curves]
    metadata = {"model": settings.name, "epoch": str(len(curves))}
    export(model.state_dict(), settings, "model.safetensors", **metadata)
    values = {
        "figures": curves[-1],
        "image_parameters": count_parameters(model.visual),
        "text_parameters": count_parameters(model) - count_parameters(model.visual),
        "captions": TEMPLATES,
        "small": math.ceil(settings.small_share * settings.epochs),
        "median": sorted(seconds)[len(seconds) // 2],
        "curves": curves,
    }
    write_card("clip/card.md.j2", settings, sum(seconds), **values)
    return curves[-1]


def _channels(values: Any) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


def _one_cycle(optimizer: Optimizer, rise: float, steps: int) -> LambdaLR:
    """A linear rise over the warm-up, a linear fall to zero at the end."""
    return LambdaLR(optimizer, lambda step: max(0.0, min((step + 1) / rise, (steps - step) / (steps - rise))))
