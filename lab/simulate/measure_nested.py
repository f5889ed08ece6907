"""How good one codec is on test pictures: semantic accuracy, cosine and 10-NN overlap. For model cards and trials.

queries --encode--> Link --> equalize --> decode --> fusion, and the nearest item

`semlink evaluate` compares all schemes on the same footing, with intervals.
Run `python -m lab.simulate.measure_nested`.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from lab.data.codec_data import LabelledEmbeddings, load_codec_data
from lab.data.features import CLIP_TINY, load_choice
from lab.report.cards import markdown_table
from lab.train.common.settings import FEATURES
from shared.codecs import Codec, Decoded, codec_class
from shared.codecs.base.design_snr import outage_snr_db
from shared.codecs.base.picture import of_embeddings
from shared.codecs.embedding.posterior import LabelPosterior
from shared.phy import ChannelSettings, Link, equalize, estimate_channel, pilot_sequence
from shared.types import Complex, Embeddings, Floats, Labels

SNRS_DB = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
_NEIGHBOURS, _PILOTS, _BLOCK = 10, 8, 500

Row = dict[str, Any]


class Measure:
    """Queries and a knowledge base, to hold codecs against."""

    def __init__(self, query: LabelledEmbeddings, kb: LabelledEmbeddings) -> None:
        self._query, self._kb = query, kb

    def row(self, codec: Codec, snr_db: float, fading: str = "none") -> Row:
        """Send all queries. The sender knows the average SNR and whether there is fading.

        Without fading there are no pilots, and the receiver has to estimate the noise from the payload. With fading,
        one gain for each burst, it knows what 8 pilots tell. Gives semantic accuracy by fusion and by the nearest item,
        mean cosine, and the share of the ten items nearest to the clean embedding that are nearest to what arrived.
        """
        e = self._query.embeddings
        fusion = self._fusion(codec)
        receiver = codec.with_prior(fusion.log_prior) if fusion else codec
        link = Link.from_settings(ChannelSettings.model_validate({"snr_db": snr_db, "fading": fading, "seed": 1}))
        expected_db = outage_snr_db(snr_db, link.settings.fading)
        x = codec.encode(e, np.full(len(e), expected_db, np.float32))
        decoded = _decoded(receiver, *_carried(link, x))
        unit = decoded.embeddings / np.maximum(np.linalg.norm(decoded.embeddings, axis=1, keepdims=True), 1e-12)
        found = _nearest(unit, self._kb.embeddings)
        return {
            "k": codec.k,
            "snr_db": snr_db,
            "fading": fading,
            "fused": self._accuracy(self._ranked(fusion, decoded) if fusion else found[:, 0]),
            "nearest": self._accuracy(found[:, 0]),
            "cosine": float((unit * e).sum(axis=1).mean()),
            "overlap": float((found[:, :, None] == self._clean[:, None, :]).any(axis=2).mean()),
        }

    @cached_property
    def _clean(self) -> Labels:
        return _nearest(self._query.embeddings, self._kb.embeddings)

    def _fusion(self, codec: Codec) -> LabelPosterior | None:
        known = codec.categories(self._kb.embeddings[:1]) is not None
        return LabelPosterior(codec, self._kb.embeddings, self._kb.labels) if known else None

    def _ranked(self, fusion: LabelPosterior, decoded: Decoded) -> Labels:
        return fusion.rank(decoded, 1)[0][:, 0]

    def _accuracy(self, found: Labels) -> float:
        return float((self._kb.labels[found] == self._query.labels).mean())


def _carried(link: Link, x: Complex) -> tuple[Complex, Floats]:
    """Symbols [B, n] through the link, to (x_hat, n0_eff) as the receiver knows them."""
    pilots = pilot_sequence(0 if link.settings.fading == "none" else _PILOTS)
    bursts = np.concatenate([np.broadcast_to(pilots, (len(x), pilots.size)), x], axis=1)
    y = np.stack([link.transmit(burst, 0, number).y for number, burst in enumerate(bursts)])
    if not pilots.size:
        return y, np.full(y.shape, np.nan, np.float32)
    known = estimate_channel(y[:, : pilots.size])
    return equalize(y[:, pilots.size :], known.gain, known.n0, "zf")


def _decoded(receiver: Codec, x_hat: Complex, n0_eff: Floats) -> Decoded:
    """Decode a few hundred bursts at a time: all hypotheses of all of them would fill the memory."""
    blocks = range(0, len(x_hat), _BLOCK)
    parts = [receiver.decode(x_hat[start : start + _BLOCK], n0_eff[start : start + _BLOCK]) for start in blocks]
    log_posteriors = [part.log_posterior for part in parts if part.log_posterior is not None]
    return Decoded(
        np.concatenate([part.embeddings for part in parts]), np.concatenate(log_posteriors) if log_posteriors else None
    )


def _nearest(unit: Embeddings, items: Embeddings) -> Labels:
    """Positions of the ten nearest items, nearest first: [B, 10]."""
    found = []
    for rows in np.array_split(unit, range(_BLOCK, len(unit), _BLOCK)):
        cosines = rows @ items.T
        ten = np.argpartition(-cosines, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        order = np.argsort(-np.take_along_axis(cosines, ten, axis=1), axis=1)
        found.append(np.take_along_axis(ten, order, axis=1))
    return np.concatenate(found)


def main(
    data: Annotated[str, typer.Option(help="Folder with CIFAR-100, or with pictures in train/, query/ and kb/.")],
    *,
    codec: Annotated[str, typer.Option(help="Which codec of the registry.")] = "nested",
    fading: Annotated[str, typer.Option(help="none or rayleigh.")] = "none",
    features: Annotated[Path, typer.Option(help="Folder for cached embeddings.")] = FEATURES,
) -> None:
    """Measure one codec at all its lengths on CIFAR-100's test part."""
    measure = Measure(*load_codec_data(load_choice(CLIP_TINY), data, features, 1).tests["cifar100"])
    kind = codec_class(codec)
    codecs = [of_embeddings(kind.load(k, "cpu")) for k in kind.lengths]
    rows = [measure.row(one, snr_db, fading) for one in codecs for snr_db in SNRS_DB]
    Console().print(markdown_table(rows), markup=False)


if __name__ == "__main__":
    typer.run(main)
