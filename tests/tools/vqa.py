"""Tiny networks of transformers' own classes with random weights, saved in their formats, and data in its layouts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_WORDS = (
    "<pad> <s> </s> <unk> <image> what colour is the heart how many are there USER: ASSISTANT: red blue yes no 1 2 3"
)
_VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_TEXT = {
    "vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def save_clipseg(folder: Path) -> Path:
    """A CLIPSeg, as CIDAS/clipseg-rd64-refined is saved."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation  # noqa: PLC0415 - an extra

    own: dict[str, Any] = {"extract_layers": [1, 2], "reduce_dim": 8, "decoder_num_attention_heads": 2}
    config = CLIPSegConfig(
        text_config=_TEXT, vision_config=_VISION, projection_dim=16, decoder_intermediate_size=16, **own
    )
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    _processor().save_pretrained(folder)
    return folder


def save_llava(folder: Path) -> Path:
    """A LLaVA, as llava-hf/llava-1.5-7b-hf is saved."""
    from transformers import (  # noqa: PLC0415 - an extra
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    words = LlamaConfig(**{**_TEXT, "max_position_embeddings": 256}, num_key_value_heads=2)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_VISION), text_config=words, image_token_index=4, image_seq_length=16
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        image_processor=_processor(), tokenizer=_tokenizer(), patch_size=8, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, image_token="<image>",
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _processor() -> Any:
    from transformers import CLIPImageProcessor  # noqa: PLC0415 - an extra

    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 - an extra
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - an extra

    words = {word: number for number, word in enumerate(_WORDS.split())}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip


def write_easy_vqa(folder: Path, count: int = 6) -> Path:
    """Pictures and questions in the layout of easy-VQA."""
    for part in ("train", "test"):
        (folder / part / "images").mkdir(parents=True)
        for number in range(count):
            _picture(folder / part / "images" / f"{number}.png", number)
        rows = [["what colour is the heart", ("red", "blue")[number % 2], number] for number in range(count)]
        (folder / part / "questions.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


def write_vqa_v2(folder: Path, objects: Sequence[Sequence[str]]) -> Path:
    """Questions in the layout of VQAv2 on COCO; objects: supercategories in each picture."""
    names = sorted({name for each in objects for name in each})
    for year in ("train2014", "val2014"):
        (folder / year).mkdir(parents=True)
        for number in range(len(objects)):
            _picture(folder / year / f"COCO_{year}_{number:012d}.jpg", number)
        questions = [
            {"image_id": number, "question_id": 10 * number, "question": "how many are there"}
            for number in range(len(objects))
        ]
        answers = [{"question_id": 10 * number, "multiple_choice_answer": "2"} for number in range(len(objects))]
        instances = {
            "categories": [{"id": place, "supercategory": name} for place, name in enumerate(names)],
            "annotations": [
                {"image_id": number, "category_id": names.index(name)}
                for number, each in enumerate(objects)
                for name in each
            ],
        }
        _write(folder / f"v2_OpenEnded_mscoco_{year}_questions.json", {"questions": questions})
        _write(folder / f"v2_mscoco_{year}_annotations.json", {"annotations": answers})
        _write(folder / "annotations" / f"instances_{year}.json", instances)
    return folder


def _write(file: Path, document: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def _picture(file: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((40, 48)).save(file)
