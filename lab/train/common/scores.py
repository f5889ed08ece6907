"""Scores of trained codecs for their model cards."""

from collections.abc import Iterable, Mapping
from typing import Any

from lab.data.codec_data import LabelledEmbeddings
from lab.data.features import CLIP_TINY, load_choice
from lab.evaluate.data import TestSet
from lab.evaluate.pictures import PictureScheme
from lab.evaluate.run_point import measure
from lab.evaluate.scenario import ChannelSpec, Scenario, SchemeSpec
from lab.evaluate.scorer import Scorer
from lab.simulate.measure_nested import SNRS_DB, Measure
from lab.train.common.settings import TrainSettings
from shared.codecs import Codec
from shared.codecs.picture.jscc.codec import JsccCodec

Row = dict[str, Any]


def score_embeddings(
    codecs: Iterable[Codec], tests: Mapping[str, tuple[LabelledEmbeddings, LabelledEmbeddings]]
) -> list[Row]:
    """A row for each test set, codec and SNR over AWGN without pilots: set, k, snr_db, fused, nearest, cosine, overlap.

    tests: name -> (queries, knowledge base)
    """
    codecs = list(codecs)
    scorers = {name: Measure(*test) for name, test in tests.items()}
    return [
        {"set": name} | scorer.row(codec, snr_db)
        for name, scorer in scorers.items()
        for codec in codecs
        for snr_db in SNRS_DB
    ]


def score_pictures(kind: type[JsccCodec], settings: TrainSettings, test_set: TestSet, queries: int) -> list[Row]:
    """A row for each length, SNR and fading (none, rayleigh), with 8 pilots: a row of `semlink evaluate`.

    settings: whose `out` holds the weights. queries: how many pictures to send
    """
    scorer, rows, path = Scorer(test_set), [], settings.out / "model.safetensors"
    for k in kind.lengths:
        scheme = PictureScheme(kind.from_file(path, k, "cpu"), kind.from_file(path, k, "cpu"), load_choice(CLIP_TINY))
        rows += [vars(measure(point, scheme, scorer)) for point in _scenario(k, queries).points()]
    return rows


def _scenario(k: int, queries: int) -> Scenario:
    return Scenario(
        title="card",
        snr_db=SNRS_DB,
        scheme=(SchemeSpec(name="card", k=(k,)),),
        channel=tuple(ChannelSpec(settings={"fading": fading}) for fading in ("none", "rayleigh")),
        queries=queries,
    )


def by_snr(rows: Iterable[Row], figure: str, digits: int = 3) -> list[Row]:
    """One line for each set (where rows have one) and length, one column for each SNR."""
    lines: dict[tuple[Any, int], Row] = {}
    for row in rows:
        head = {"k": row["k"]} | ({"set": row["set"]} if "set" in row else {})
        line = lines.setdefault((row.get("set"), row["k"]), head)
        line[f"{row['snr_db']:g} dB"] = f"{row[figure]:.{digits}f}"
    return list(lines.values())
