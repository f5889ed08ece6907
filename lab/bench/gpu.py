"""`python -m lab.bench.gpu`: CLIP, codecs and the link on one GPU, as one JSON file and a table.

model, batch --torch in bfloat16, channels-last--> ms; small batches also as one CUDA graph
codec, batch --encode, decode--> ms
link: transmitter and receiver on the GPU --> pictures a second
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch

from lab.bench.fixtures import random_weights
from lab.bench.link import LinkBench, bench_link
from lab.report.cards import markdown_table
from shared.clip import MODEL, Clip, load_clip
from shared.clip.in_torch import find_towers, image_tower
from shared.codecs import CodecShelf
from shared.codecs.base.picture import of_embeddings
from shared.device import device_type, hardware
from shared.types import Pixels
from shared.version import VERSION

_WARM, _RUNS = 3, 20
_GRAPH_MOST: Final = 32
"""Largest batch that is tried as a CUDA graph: with more, launches cost little of the time."""

Row = dict[str, Any]


@dataclass(frozen=True)
class GpuBench:
    """What to measure. device: `cuda`, or `cpu` to try the script. models: CLIP models; all but clip-tiny untrained.

    link_seconds: of each turn of the link; 0 for no link, as where FAISS is not installed.
    """

    device: str = "cuda"
    models: tuple[str, ...] = (MODEL, "ViT-B-32")
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    codec: str = "nested"
    k: int = 64
    link_seconds: float = 5.0


def bench_gpu(bench: GpuBench) -> dict[str, Any]:
    """Rows of what was run, with a batch and the median ms of each way. Raises InvalidSetting without a GPU."""
    device = device_type(bench.device)
    rows = [row for model in bench.models for row in _clip_rows(bench, device, model)]
    found: dict[str, Any] = {"version": VERSION, "torch": torch.__version__, "hardware": hardware()}
    return found | {"rows": [*rows, *_codec_rows(bench, device)], "link": _link(bench)}


def _clip_rows(bench: GpuBench, device: str, model: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="semlink-bench-") as folder:
        weights = None if model == MODEL else random_weights(Path(folder), model)
        clip = load_clip(model, weights, device, "bfloat16", engine="torch")
        tower = image_tower(find_towers(model, weights, download=False)).to(device).in_bfloat16()
    for count in bench.batches:
        pixels = _pixels(clip, count)
        row: Row = {
            "what": f"CLIP {model}",
            "batch": count,
            "ms": _median_ms(partial(clip.embed_images, pixels)),
        }
        if device == "cuda" and count <= _GRAPH_MOST:
            row["graph_ms"] = _median_ms(_graph(tower, pixels))
        yield row


def _pixels(clip: Clip, count: int) -> Pixels:
    side = clip.image_size
    drawn: Pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return drawn


def _graph(tower: torch.nn.Module, pixels: Pixels) -> Callable[[], Any]:
    """The tower recorded once as a CUDA graph: one launch for all its kernels, pictures in and embeddings out."""
    given = torch.from_numpy(pixels).cuda()
    with torch.inference_mode():
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM):
                tower(given)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = tower(given)

    def run() -> Any:
        given.copy_(torch.from_numpy(pixels))
        graph.replay()
        return found.cpu().numpy()

    return run


def _codec_rows(bench: GpuBench, device: str) -> Iterator[Row]:
    fingerprint = find_towers(MODEL, None, download=False).fingerprint
    codec = of_embeddings(CodecShelf(device, fingerprint).get(bench.codec, bench.k))
    for count in bench.batches:
        embeddings = np.random.default_rng(0).standard_normal((count, 512)).astype(np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        symbols, noise = codec.encode(embeddings), np.full((count, codec.symbols), 0.3, np.float32)
        encode_ms = _median_ms(partial(codec.encode, embeddings))
        decode_ms = _median_ms(partial(codec.decode, symbols, noise))
        yield {"what": f"{codec.name} k {codec.k} encode", "batch": count, "ms": encode_ms}
        yield {"what": f"{codec.name} k {codec.k} decode", "batch": count, "ms": decode_ms}


def _median_ms(run: Callable[[], Any]) -> float:
    """What comes back is in the processor's memory, so nothing is still at work when it is there."""
    seconds = []
    for _ in range(_WARM + _RUNS):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return 1e3 * float(np.median(seconds[_WARM:]))


def _link(bench: GpuBench) -> dict[str, Any]:
    """The link with services on the device that they choose, which is the GPU where there is one."""
    return bench_link(LinkBench(seconds=bench.link_seconds, turns=2)) if bench.link_seconds else {}


def as_table(found: dict[str, Any]) -> str:
    """What `bench_gpu` gave as a page of Markdown."""
    rows = [
        {
            "what": row["what"],
            "batch": row["batch"],
            "ms": f"{row['ms']:.2f}",
            "as a graph, ms": f"{row['graph_ms']:.2f}" if "graph_ms" in row else "",
            "per second": f"{1e3 * row['batch'] / min(row['ms'], row.get('graph_ms', row['ms'])):.0f}",
        }
        for row in found["rows"]
    ]
    link = found["link"]
    told = (
        f"\n\nThe link: {link['link_per_second']:.0f} pictures/s, {link['ratio']:.2f} of the bare loop." if link else ""
    )
    return f"{found['hardware']}, torch {found['torch']}, SemLink {found['version']}\n\n{markdown_table(rows)}{told}\n"


def main() -> None:
    """Measure, and write FOLDER/gpu.json and FOLDER/gpu.md."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/gpu"), metavar="FOLDER")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--link-seconds", type=float, default=5.0, help="0: no link")
    given = parser.parse_args()
    found = bench_gpu(GpuBench(device=given.device, link_seconds=given.link_seconds))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "gpu.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (given.out / "gpu.md").write_text(as_table(found), encoding="utf-8")
    print(as_table(found))


if __name__ == "__main__":
    main()
