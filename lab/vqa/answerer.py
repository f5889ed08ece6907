"""LLaVA, or another network that answers questions about pictures, through transformers.

pictures, questions --processor, language model--> answers in words, and the hidden states that the intent compares
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lab.vqa.pretrained import pretrained, require_transformers
from shared.types import Pixels

_PROMPT: Final = "USER: {image} {question} Answer with one word or short phrase. ASSISTANT:"
_LONGEST: Final = 12
"""Words of an answer."""


class VqaAnswerer:
    """Frozen. name: OWNER/NAME of transformers, or a folder. code: run the network's own Python, as nanoLLaVA needs."""

    def __init__(self, name: str, device: str = "cpu", *, download: bool = False, code: bool = False) -> None:
        require_transformers()
        from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: PLC0415 - an extra

        options = {"download": download, "trust_remote_code": code}
        self._model = pretrained(AutoModelForImageTextToText.from_pretrained, name, **options).to(device).eval()
        self._model.requires_grad_(False)
        self._processor: Any = pretrained(AutoProcessor.from_pretrained, name, **options)
        self._processor.tokenizer.padding_side = "left"
        self._device = device

    @torch.inference_mode()
    def answer(self, pictures: Pixels, questions: Sequence[str]) -> list[str]:
        """The answer to each question about its picture [B, S, S, 3], without sampling."""
        inputs = self._inputs(pictures, questions)
        said = self._model.generate(**inputs, max_new_tokens=_LONGEST, do_sample=False)
        texts = self._processor.batch_decode(said[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [text.strip() for text in texts]

    def think(self, pictures: Tensor, questions: Sequence[str]) -> Tensor:
        """The last hidden state of each question's last word: [B, C]; gradients reach the pictures [B, 3, S, S]."""
        seen = (pictures.detach().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        inputs = self._inputs(np.ascontiguousarray(seen), questions)
        inputs["pixel_values"] = self._as_processed(pictures, inputs["pixel_values"])
        last: Tensor = self._model(**inputs, output_hidden_states=True).hidden_states[-1][:, -1]
        return last.float()

    def _inputs(self, pictures: Pixels, questions: Sequence[str]) -> dict[str, Any]:
        token = getattr(self._processor, "image_token", "<image>")
        texts = [_PROMPT.format(image=token, question=question) for question in questions]
        images = [Image.fromarray(each) for each in pictures]
        return dict(self._processor(text=texts, images=images, padding=True, return_tensors="pt").to(self._device))

    def _as_processed(self, pictures: Tensor, processed: Tensor) -> Tensor:
        """What the processor makes of pictures, in torch: scaled and normalised."""
        processor = self._processor.image_processor
        mean, std = (torch.tensor(each, device=pictures.device)[:, None, None] for each in _norm_of(processor))
        scaled = F.interpolate(pictures, processed.shape[-2:], mode="bicubic", antialias=True)
        return ((scaled - mean) / std).to(processed.dtype)


def _norm_of(processor: Any) -> tuple[list[float], list[float]]:
    return list(processor.image_mean), list(processor.image_std)
