"""The model card of a trained codec, written by the training itself."""

from pathlib import Path

from lab.report.cards import hardware, markdown_table

_CARD = """# kbsc

The network of "Knowledge-Base based Semantic Image Transmission Using CLIP" (arXiv 2504.01053), exactly: encoder
512-384-k, decoder k-384-512, blind to the SNR, trained with the paper's recipe (mean squared error, Adam 1e-4, batches
of 128, up to 100 epochs, early stop after 20 without better retrieval, one SNR of -7, -4, 0, 4, 7, 10 dB for each
batch). The power is what a real link has: one per burst, I and Q of a symbol from the same picture, and neither scale
nor SNR told to the receiver.

{learned}

## How well it does

Semantic accuracy (nearest neighbour has the query's label) over AWGN, k real dimensions = k/2 complex symbols, on
pictures that the codec did not learn from: the parts `query` and `kb` of each set (of CIFAR-100 the first and the last
50 test pictures of a class, of the drawn set 10 and 20). `raw` is the embedding itself with no codec and no channel.

{table}

`k16.safetensors`, `k64.safetensors`, `k256.safetensors`: matrices in float16, vectors with the statistics of batch norm
in float32; metadata `codec`, `k`, `clip_fingerprint`, `command`.

## How it was made

    semlink train kbsc --data DIR        (or python -m lab.train.kbsc.train --data DIR)

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.{note}
"""


def write_codec_card(
    out: Path, rows: list[dict[str, float | str]], learned: str, *, seed: int, seconds: float, note: str
) -> None:
    """Write `README.md` beside the weights.

    rows: semantic accuracy by k and data set
    learned: from which embeddings
    note: sentences on anything else that one should know about the run
    """
    card = _CARD.format(
        learned=learned,
        table=markdown_table(rows),
        seed=seed,
        minutes=seconds / 60,
        hardware=hardware(),
        note=note,
    )
    (out / "README.md").write_text(card)
