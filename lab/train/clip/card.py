"""The model card of clip-tiny, written by the training itself."""

from pathlib import Path

from lab.data.captions import TEMPLATES
from lab.report.cards import hardware, markdown_table

_CARD = """# clip-tiny

A small CLIP: pictures of 32 x 32 pixels and short captions in one space of 512 dimensions. It lets SemLink run with
nothing to download; it is no general model of the world. Its classes are open_clip's own, its tokenizer is open_clip's
standard one, and its image tower (`shared/clip/tower.py`) is registered with timm.

| tower | what | parameters |
| --- | --- | --- |
| image | residual network of 10 convolutions, widths 32, 64, 160, 320, global max-pooling | {image_parameters:,} |
| text | transformer, 2 layers of width 96, 16 tokens | {text_parameters:,} |

`model.safetensors` holds matrices in float16, norms and statistics in float32.

## How well it does

On pictures that it never learned from. CIFAR-100: its test part, knowledge base = last 50 pictures of each class,
queries = first 50. Drawn set: knowledge base = 20 of each category, queries = 10.

| figure | reached | wanted |
| --- | --- | --- |
| CIFAR-100, nearest neighbour (semantic accuracy without a channel) | {cifar_nearest:.3f} | 0.600 |
| CIFAR-100, zero-shot by class-name captions, 10,000 pictures | {cifar_zero_shot:.3f} | 0.650 |
| drawn set, nearest neighbour | {drawn_nearest:.3f} | 0.950 |

## What it learned from

The train split of CIFAR-100 (Krizhevsky, 2009; 50,000 pictures) and {drawn} fresh pictures of the drawn set in each
epoch, with these captions around the class names:

{captions}

So it knows those 200 classes and little else: any other word in a text search is noise to it. CIFAR-100 carries the
biases of the web collection it was cut from.

Loss: picture to caption over all 200 classes, caption to picture (UniCL), picture to picture (SupCon). Augmentation:
shifted crop, mirror image, a hole; never colour, which names the drawn classes. The first {small} of {epochs} epochs
see the pictures at {side} pixels. The weights are a moving average.

## How it was made

    semlink train clip-tiny --data DIR        (or python -m lab.train.clip.train --data DIR)

{epochs} epochs, seed {seed}, {minutes:.0f} minutes in all, {seconds:.0f} s for the median epoch, on
{hardware}.{note}

{table}
"""


def write_clip_card(
    out: Path,
    curves: list[dict[str, float]],
    parameters: tuple[int, int],
    settings: dict[str, int],
    note: str = "",
) -> None:
    """Write `README.md` beside the weights.

    curves: figures of each epoch, the last ones being the model's
    parameters: of the image and of the text tower
    settings: `drawn`, `small`, `side`, `seed`, as the card names them
    note: sentences on anything else that one should know about the run
    """
    seconds = sorted(row["seconds"] for row in curves)
    (out / "README.md").write_text(
        _CARD.format(
            **{name: curves[-1][name] for name in ("cifar_nearest", "cifar_zero_shot", "drawn_nearest")},
            **settings,
            image_parameters=parameters[0],
            text_parameters=parameters[1],
            captions="\n".join(f"    {template}" for template in TEMPLATES),
            epochs=len(curves),
            minutes=sum(seconds) / 60,
            seconds=seconds[len(seconds) // 2],
            hardware=hardware(),
            note=note,
            table=markdown_table([dict(row) for row in curves]),
        )
    )
