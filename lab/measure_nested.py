"""How good codecs with categories are on the test pictures: semantic accuracy, cosine and 10-NN overlap.

queries --encode--> pilots, Link --> estimate_channel, equalize --> decode --> fusion, and the nearest item

Run `python -m lab.measure_nested --data DIR`; `semlink evaluate` compares all schemes on the same footing.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from lab.codec_data import Embeddings, LabelledEmbeddings, Labels, load_codec_data
from lab.tables import markdown_table
from shared.channel import ChannelSettings, Link, equalize, estimate_channel, pilot_sequence
from shared.clip import load_clip
from shared.codecs import Codec, codec_class
from shared.codecs.fusion import Fusion
from shared.symbols import Complex

SNRS_DB = (-7.0, -4.0, 0.0, 4.0, 7.0, 10.0)
NEIGHBOURS = 10
_PILOTS = 8
_BLOCK = 1000

Row = dict[str, Any]


def measure(
    codec: Codec, query: LabelledEmbeddings, kb: LabelledEmbeddings, snr_db: float, fading: str = "none"
) -> Row:
    """Send all queries; the sender knows the average SNR, the receiver what 8 pilots tell.

    Gives semantic accuracy by fusion and by the nearest item, mean cosine, and the share of the ten items nearest to
    the clean embedding that are among the ten nearest to what arrived.
    """
    fusion = Fusion(codec, kb.embeddings, kb.labels) if codec.categories(kb.embeddings[:1]) is not None else None
    receiver = codec.with_prior(fusion.log_prior) if fusion else codec
    link = Link.from_settings(ChannelSettings(snr_db=snr_db, fading=fading, seed=1))
    fused, nearest, cosine, overlap = [], [], [], []
    for members in np.array_split(np.arange(len(query.labels)), range(_BLOCK, len(query.labels), _BLOCK)):
        e, truth = query.embeddings[members], query.labels[members]
        x = codec.encode(e, np.full(len(e), snr_db, np.float32))
        decoded = receiver.decode(*_carried(link, x, members, codec.equalizer or "zf"))
        unit = decoded.embeddings / np.maximum(np.linalg.norm(decoded.embeddings, axis=1, keepdims=True), 1e-12)
        found = _nearest(unit, kb.embeddings)
        nearest.append(kb.labels[found[:, 0]] == truth)
        fused.append(kb.labels[fusion.rank(decoded, 1)[0][:, 0]] == truth if fusion else nearest[-1])
        cosine.append((unit * e).sum(axis=1))
        overlap.append((found[:, :, None] == _nearest(e, kb.embeddings)[:, None, :]).any(axis=2).mean(axis=1))
    means = [float(np.concatenate(part).mean()) for part in (fused, nearest, cosine, overlap)]
    return {"k": codec.k, "snr_db": snr_db, "fading": fading} | dict(
        zip(("fused", "nearest", "cosine", "overlap"), means, strict=True)
    )


def _carried(link: Link, x: Complex, counters: "np.ndarray[Any, Any]", method: Any) -> tuple[Complex, Any]:
    """Symbols [B, n] through the link, to (x_hat, n0_eff) by what the pilots tell."""
    pilots = pilot_sequence(_PILOTS)
    y = np.stack(
        [link.transmit(np.concatenate([pilots, row]), 0, int(n)).y for row, n in zip(x, counters, strict=True)]
    )
    known = estimate_channel(y[:, :_PILOTS])
    return equalize(y[:, _PILOTS:], known.gain, known.n0, method)


def _nearest(unit: Embeddings, items: Embeddings) -> Labels:
    """Positions of the ten nearest items, nearest first: [B, 10]."""
    cosines = unit @ items.T
    ten = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    order = np.argsort(-np.take_along_axis(cosines, ten, axis=1), axis=1)
    return np.take_along_axis(ten, order, axis=1)


def main(
    data: Annotated[Path, typer.Option(help="Folder with CIFAR-100 in the official lay-out.")],
    *,
    codec: Annotated[str, typer.Option(help="Which codec of the registry.")] = "nested",
    fading: Annotated[str, typer.Option(help="none or rayleigh.")] = "none",
    features: Annotated[Path, typer.Option(help="Folder for cached embeddings.")] = Path("runs/kbsc"),
) -> None:
    """Measure one codec at all its lengths on CIFAR-100's test part."""
    tests = load_codec_data(load_clip(), data, features, 1).tests
    kind = codec_class(codec)
    rows = [
        measure(kind.load(k, "cpu"), *tests["cifar100"], snr_db, fading) for k in kind.lengths for snr_db in SNRS_DB
    ]
    Console().print(markdown_table(rows), markup=False)


if __name__ == "__main__":
    typer.run(main)
