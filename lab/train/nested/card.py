"""The model card of the codec `nested`, written by its training."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.data.codec_data import LabelledEmbeddings
from lab.report.cards import hardware, markdown_table
from lab.simulate.measure_nested import SNRS_DB, Measure
from shared.codecs import Codec

Row = dict[str, Any]

_CARD = """# {name}

One model for k = 8, 16, 32, 64, 128 and 256 real dimensions (k/2 complex symbols): the first k dimensions of the long
code are the short code.
{kinds} arrive as words of a spherical code, the place within them as an analogue refinement
superposed on the word; the receiver knows the mixture and takes its exact posterior.
`shared/codecs/embedding/nested_model.py` has the model, `lab/train/nested` its training. Both sides use the SNR: the
sender an operating point, the receiver what its pilots tell; neither is told what the other believes.

{learned} The validation senders decide when to stop.

## How well it does

Over AWGN, without pilots, so that the receiver estimates the noise from the payload, on pictures that the codec did
not learn from: the parts `query` and `kb` of each set (of CIFAR-100 the first and the last 50 test pictures of a class,
of the drawn set 10 and 20).

Semantic accuracy by fusion of category and embedding:

{accuracy}

Mean cosine of e_hat and e:

{cosine}

`model.safetensors`: matrices in float16, vectors in float32; metadata `codec`, `clip_fingerprint`, `command`.

## How it was made

    semlink train nested --data DIR{option}        (or python -m lab.train.nested.train)

Seed {seed}; {minutes:.0f} minutes in all on {hardware}.
"""


def measure_nested(codecs: Iterable[Codec], name: str, query: LabelledEmbeddings, kb: LabelledEmbeddings) -> list[Row]:
    """Rows of `measure` over AWGN for all lengths, with the name of the test set."""
    measure = Measure(query, kb)
    return [{"set": name} | measure.row(codec, snr_db) for codec in codecs for snr_db in SNRS_DB]


def write_nested_card(out: Path, rows: list[Row], *, learned: str, seed: int, seconds: float, clusters: int) -> None:
    """Write `README.md` beside the weights; clusters: how many were found, 0 for labels; learned: from what."""
    card = _CARD.format(
        name=out.name,
        kinds=f"{clusters} clusters, found without any label," if clusters else "Categories",
        option=f" --unlabelled --clusters {clusters}" if clusters else "",
        learned=learned,
        accuracy=_table(rows, "fused"),
        cosine=_table(rows, "cosine"),
        seed=seed,
        minutes=seconds / 60,
        hardware=hardware(),
    )
    (out / "README.md").write_text(card)


def _table(rows: list[Row], figure: str) -> str:
    """One line for each length and set, one column for each SNR."""
    lines: dict[tuple[int, str], dict[str, float | str]] = {}
    for row in rows:
        line = lines.setdefault((row["k"], row["set"]), {"k": row["k"], "set": row["set"]})
        line[f"{row['snr_db']:g} dB"] = row[figure]
    return markdown_table(list(lines.values()))
