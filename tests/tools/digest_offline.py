"""What test_digests.py measures off line: `python -m tests.tools.digest_offline NAME FOLDER` prints it as JSON.

FOLDER keeps the embeddings of the drawn set from one call to the next.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.tools.digests import Found, digest, head, plain

QUERIES = slice(100)  # one of each category
SCENARIO: dict[str, Any] = {
    "title": "digests",
    "snr_db": [-2.0, 6.0],
    "queries": 100,
    "scheme": [
        {"name": "nested", "k": [8, 64], "decision": "fusion"},
        {"name": "kbsc", "k": [16]},
        {"name": "kbsc-vote", "scheme": "kbsc", "k": [64], "decision": "vote"},
        {"name": "label", "k": [32], "decision": "fusion"},
        {"name": "nested-more-0.99", "k": [64], "decision": "fusion"},
        {"name": "nested-more-0.9-from-16", "k": [32], "decision": "fusion"},
        {"name": "vq-digital", "k": [64]},
        {"name": "webp-ldpc", "k": [1024], "channels": ["plain"]},
        {"name": "deepjscc", "k": [64], "channels": ["faded"]},
    ],
    "channel": [
        {"name": "plain", "csi": "none", "settings": {"fading": "none"}},
        {"name": "faded", "csi": "pilot", "settings": {"fading": "rayleigh"}},
    ],
}
FIGURES = (
    "semantic_accuracy",
    "semantic_agreement",
    "cosine",
    "knn_overlap_at_10",
    "bler",
    "psnr_db",
    "cbr",
    "cbr_total",
)


def evaluate(folder: Path) -> Found:
    """Rows of a small scenario, without their times."""
    import lab.evaluate.run as lab  # noqa: PLC0415 - each of these modules for itself
    from lab.evaluate.scenario import Scenario  # noqa: PLC0415

    table = lab.evaluate(Scenario.model_validate(SCENARIO), test_set(folder), folder / "evaluate")
    rows = table.drop("encode_ms", "decode_ms").to_dicts()
    keyed = {f"{row['scheme']} k={row['k']} {row['fading']} {row['snr_db']:g} dB": row for row in rows}
    return {
        "digests": {name: digest(row) for name, row in keyed.items()},
        "values": {name: plain([row[figure] for figure in FIGURES]) for name, row in keyed.items()},
    }


def measure_nested(folder: Path) -> Found:
    """Rows of k = 64."""
    from lab.data.codec_data import LabelledEmbeddings  # noqa: PLC0415
    from lab.simulate.measure_nested import Measure  # noqa: PLC0415
    from shared.codecs import codec_class  # noqa: PLC0415

    pictures = test_set(folder)
    measure = Measure(
        LabelledEmbeddings(pictures.queries.embeddings[QUERIES], pictures.query_labels[QUERIES]),
        LabelledEmbeddings(pictures.items.embeddings, pictures.item_labels),
    )
    codec = codec_class("nested").load(64, "cpu")
    rows = {
        f"{fading} {snr_db:g} dB": measure.row(codec, snr_db, fading)
        for fading in ("none", "rayleigh")
        for snr_db in (-4.0, 4.0)
    }
    return {
        "digests": {name: digest(row) for name, row in rows.items()},
        "values": {name: plain(list(row.values())) for name, row in rows.items()},
    }


def traffic(folder: Path) -> Found:
    """A batch, each of another channel, with fusion and without."""
    from lab.simulate.traffic import mixed_channels, transmit  # noqa: PLC0415
    from shared.codecs import codec_class  # noqa: PLC0415
    from shared.codecs.embedding.posterior import LabelPosterior  # noqa: PLC0415

    pictures = test_set(folder)
    e, channels = pictures.queries.embeddings[QUERIES], mixed_channels(100, seed=3)
    nested = codec_class("nested").load(64, "cpu")
    fusion = LabelPosterior(nested, pictures.items.embeddings, pictures.item_labels)
    found = {
        "nested": transmit(e, nested, channels, counter=7, fusion=fusion),
        "nested without a prior": transmit(e, nested, channels, counter=7),
        "kbsc": transmit(e, codec_class("kbsc").load(64, "cpu"), channels[:1], counter=7),
    }
    evidence = {name: one.decoded.log_posterior for name, one in found.items()}
    return {
        "digests": {
            name: digest(one.embeddings, one.n0, [] if evidence[name] is None else evidence[name])
            for name, one in found.items()
        },
        "values": {name: [head(one.embeddings), head(one.n0)] for name, one in found.items()},
    }


def test_set(folder: Path) -> Any:
    """Two queries and two items of each drawn category, embedded in float32."""
    from lab.data.features import ClipChoice  # noqa: PLC0415
    from lab.evaluate.data import open_test_set  # noqa: PLC0415

    return open_test_set("first:2:drawn", ClipChoice(), folder)


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    print(json.dumps({"evaluate": evaluate, "measure_nested": measure_nested, "traffic": traffic}[name](Path(folder))))
