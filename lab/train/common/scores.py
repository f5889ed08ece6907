"""Scores of trained codecs for their model cards, by the scorer of `semlink evaluate`."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lab.data.codec_data import Tests
from lab.data.features import CLIP_TINY, load_choice
from lab.evaluate.data import TestSet
from lab.evaluate.pictures import PictureScheme
from lab.evaluate.run_point import measure_schemes
from lab.evaluate.scenario import ChannelSpec
from lab.evaluate.scheme import FusedScheme
from lab.evaluate.scorer import Scorer
from lab.train.common.settings import TrainSettings
from shared.codecs import Codec
from shared.codecs.picture.jscc.codec import JsccCodec

Row = dict[str, Any]

SNRS_DB = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)


def score_embeddings(codecs: Iterable[Codec], tests: Tests) -> list[Row]:
    """A row for each test set, codec with categories, and SNR over AWGN without pilots: set, and a row of the table."""
    codecs, rows = list(codecs), []
    for name, (query, kb) in tests.items():
        scorer = Scorer(TestSet.of_embeddings(query, kb))
        schemes = [FusedScheme(codec, codec, *kb) for codec in codecs]
        found = measure_schemes(schemes, scorer, snrs_db=SNRS_DB, channels=[ChannelSpec(csi=("none",))])
        rows += [{"set": name} | asdict(row) for row in found]
    return rows


def score_pictures(kind: type[JsccCodec], settings: TrainSettings, test_set: TestSet, queries: int) -> list[Row]:
    """A row for each length, SNR and fading (none, rayleigh), with 8 pilots: a row of `semlink evaluate`.

    settings: whose `out` holds the weights. queries: how many pictures to send
    """
    path, clip = settings.out / "model.safetensors", load_choice(CLIP_TINY)
    schemes = (
        PictureScheme(kind.from_file(path, k, "cpu"), kind.from_file(path, k, "cpu"), clip) for k in kind.lengths
    )
    channels = [ChannelSpec(settings={"fading": fading}) for fading in ("none", "rayleigh")]
    return [
        asdict(row)
        for row in measure_schemes(schemes, Scorer(test_set), snrs_db=SNRS_DB, channels=channels, queries=queries)
    ]


def by_snr(rows: Iterable[Row], figure: str, digits: int = 3) -> list[Row]:
    """One line for each set (where rows have one) and length, one column for each SNR."""
    lines: dict[tuple[Any, int], Row] = {}
    for row in rows:
        head = {"k": row["k"]} | ({"set": row["set"]} if "set" in row else {})
        line = lines.setdefault((row.get("set"), row["k"]), head)
        line[f"{row['snr_db']:g} dB"] = f"{row[figure]:.{digits}f}"
    return list(lines.values())
