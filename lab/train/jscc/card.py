"""The model card of a codec of pictures, written by its training: how far it was trained and what it reaches."""

from pathlib import Path
from typing import Any

from lab.data.features import CLIP_TINY, load_choice
from lab.evaluate.data import open_test_set
from lab.evaluate.pictures import PictureScheme
from lab.evaluate.run_point import measure
from lab.evaluate.scenario import ChannelSpec, Scenario, SchemeSpec
from lab.evaluate.scorer import Scorer
from lab.evaluate.table import Row
from lab.report.cards import hardware, markdown_table
from shared.codecs.picture.jscc.codec import JsccCodec

SNRS_DB = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
QUERIES = 500

_FORM = {
    "deepjscc": "The published layers and widths (Bourtsoulatze, Burth Kurka, Gündüz 2019), but one network for all k "
    "and SNRs, whose decoder knows the SNR: one network for each would be better.",
    "swinjscc": "**Small**: patches of 4 x 4, 64 and 128 wide, 2 and 2 blocks, where the published SwinJSCC (2024) for "
    "32 x 32 has patches of 2 x 2, 128 and 256 wide, 2 and 4 blocks. SNR and rate modulation, one network for all k.",
}

_CARD = """# {name}

Sends 32 x 32 pictures as k real dimensions (k/2 complex symbols), k = {lengths}. {form} {params:,} parameters.
`shared/codecs/picture/jscc/{name}.py` has the network, `lab/train/jscc/train.py` its training.
It knows no CLIP and no label.

Trained on 45,000 pictures of CIFAR-100's train split, from a linear code (`lab/train/jscc/init.py`), for {pictures:,}
pictures, which is {epochs:.1f} passes where the literature takes hundreds: a sign of what the scheme can do, not its
best. Mean squared error, average SNR at random from -7 .. 10 dB, half of the bursts with Rayleigh block fading. The
best round was number {best} of {rounds}, by the PSNR of 500 of the 5,000 pictures that were held out: {psnr_db:.2f} dB
in the mean over all k and -7, 0, 10 dB.

## How well it does

Of {queries} pictures that it never learned from (CIFAR-100 test, the first 50 of a class). PSNR in dB, mean over
pictures. Semantic accuracy: what arrives is embedded by clip-tiny `{fingerprint}`, the nearest of the 5,000 pictures of
the knowledge base has the right label. AWGN with 8 pilots, and Rayleigh block fading with 8 pilots; gain and noise
power are estimated from them.

{tables}

`model.safetensors`: matrices in float16, vectors in float32; metadata `codec`, `command`.

## How it was made

    semlink train {name} --data DIR --rounds {rounds}

Seed {seed}; {minutes:.0f} minutes on {hardware}, shared with other work.
"""


def write_jscc_card(
    kind: type[JsccCodec],
    out: Path,
    runs: Path,
    data: Path,
    *,
    curves: list[dict[str, float]],
    pictures: int,
    seed: int,
) -> None:
    """Measure the weights in `out` and write `README.md` beside them.

    runs: folder for cached embeddings. data: folder with CIFAR-100. curves: one row for each round. pictures: how
    many it has learned from, repetitions counted.
    """
    judge = Scorer(open_test_set(f"cifar100:{data}", CLIP_TINY, runs / "features"))
    rows = [row for k in kind.lengths for row in measure_jscc(_scheme(kind, out, k), judge, QUERIES)]
    best = max(curves, key=lambda row: row["validation_psnr_db"])
    card = _CARD.format(
        name=kind.name,
        lengths=", ".join(map(str, kind.lengths)),
        form=_FORM[kind.name],
        params=sum(parameter.numel() for parameter in kind.network_class().parameters()),
        pictures=pictures,
        epochs=pictures / 45_000,
        rounds=len(curves),
        best=int(best["round"]),
        psnr_db=best["validation_psnr_db"],
        queries=QUERIES,
        fingerprint=judge.test_set.clip_fingerprint,
        tables="\n\n".join(_titled(rows, *table) for table in _TABLES),
        seed=seed,
        minutes=sum(row["seconds"] for row in curves) / 60,
        hardware=hardware(),
    )
    (out / "README.md").write_text(card)


def measure_jscc(scheme: PictureScheme, judge: Scorer, queries: int) -> list[Row]:
    """One row for each kind of fading and SNR; queries: how many pictures to send, 0 for all."""
    scenario = Scenario(
        title="card",
        snr_db=SNRS_DB,
        scheme=(SchemeSpec(name="card", k=(scheme.k,)),),
        channel=tuple(ChannelSpec(settings={"fading": fading}) for fading in ("none", "rayleigh")),
        queries=queries,
    )
    return [measure(point, scheme, judge) for point in scenario.points()]


def _scheme(kind: type[JsccCodec], out: Path, k: int) -> PictureScheme:
    sender, receiver = (kind.from_file(out / "model.safetensors", k, "cpu") for _ in range(2))
    return PictureScheme(sender, receiver, load_choice(CLIP_TINY))


_TABLES = (
    ("PSNR, AWGN:", "none", "psnr_db", 2),
    ("PSNR, Rayleigh:", "rayleigh", "psnr_db", 2),
    ("Semantic accuracy, AWGN:", "none", "semantic_accuracy", 3),
    ("Semantic accuracy, Rayleigh:", "rayleigh", "semantic_accuracy", 3),
)


def _titled(rows: list[Row], title: str, fading: str, figure: str, digits: int) -> str:
    """One line for each length, one column for each SNR."""
    lines: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row.fading == fading:
            line = lines.setdefault(row.k, {"k": str(row.k)})
            line[f"{row.snr_db:g} dB"] = f"{getattr(row, figure):.{digits}f}"
    return f"{title}\n\n{markdown_table(list(lines.values()))}"
