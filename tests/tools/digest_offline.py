"""What test_digests.py measures off line: `python -m tests.tools.digest_offline FOLDER NAME...` prints it as JSON.

FOLDER keeps the embeddings of the drawn set.
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
        {"name": "kbsc-vote", "codec": "kbsc", "k": [64], "decision": "vote"},
        {"name": "label", "k": [32], "decision": "fusion"},
        {"name": "nested-more-0.99", "codec": "nested", "harq": {"certainty": 0.99}, "k": [64], "decision": "fusion"},
        {
            "name": "nested-more-0.9-from-16",
            "codec": "nested",
            "harq": {"certainty": 0.9, "start": 16},
            "k": [32],
            "decision": "fusion",
        },
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


def card(folder: Path) -> Found:
    """Rows of k = 64 for a model card."""
    from lab.evaluate.run_point import measure_schemes  # noqa: PLC0415
    from lab.evaluate.scenario import ChannelSpec  # noqa: PLC0415
    from lab.evaluate.scheme import FusedScheme  # noqa: PLC0415
    from lab.evaluate.scorer import Scorer  # noqa: PLC0415
    from shared.codecs import codec_class  # noqa: PLC0415

    pictures = test_set(folder)
    sender, receiver = (codec_class("nested").load(64, "cpu") for _ in range(2))
    scheme = FusedScheme(sender, receiver, pictures.items.embeddings, pictures.item_labels)
    channels = [ChannelSpec(csi=("none",)), ChannelSpec(settings={"fading": "rayleigh"})]
    rows = measure_schemes([scheme], Scorer(pictures), snrs_db=(-4.0, 4.0), channels=channels, queries=100)
    found = {f"{row.fading} {row.snr_db:g} dB": [getattr(row, figure) for figure in FIGURES] for row in rows}
    return {
        "digests": {name: digest(row) for name, row in found.items()},
        "values": {name: plain(row) for name, row in found.items()},
    }


def embeddings(folder: Path) -> Found:
    """A batch, each of another channel, with fusion and without."""
    from lab.simulate.chain import channel_chain  # noqa: PLC0415
    from lab.simulate.embeddings import mixed_channels, transmit_embeddings  # noqa: PLC0415
    from shared.codecs import codec_class  # noqa: PLC0415
    from shared.codecs.embedding.posterior import LabelPosterior  # noqa: PLC0415
    from shared.phy import ChannelSettings  # noqa: PLC0415

    pictures = test_set(folder)
    e, channels = pictures.queries.embeddings[QUERIES], mixed_channels(100, seed=3)
    nested = codec_class("nested").load(64, "cpu")
    fusion = LabelPosterior(
        nested.categories(pictures.items.embeddings), pictures.items.embeddings, pictures.item_labels
    )
    mixed, first = channel_chain(ChannelSettings()), channel_chain(ChannelSettings(**channels[0]))
    found = {
        "nested": transmit_embeddings(e, nested, mixed, 7, overrides=channels, fusion=fusion),
        "nested without a prior": transmit_embeddings(e, nested, mixed, 7, overrides=channels),
        "kbsc": transmit_embeddings(e, codec_class("kbsc").load(64, "cpu"), first, 7),
    }
    posteriors = {name: one.decoded.log_posterior for name, one in found.items()}
    return {
        "digests": {
            name: digest(one.embeddings, one.n0, [] if posteriors[name] is None else posteriors[name])
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
    folder, *names = sys.argv[1:]
    measured = {"evaluate": evaluate, "card": card, "embeddings": embeddings}
    print(json.dumps({name: measured[name](Path(folder)) for name in names}))
