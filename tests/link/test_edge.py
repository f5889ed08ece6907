"""The link from a bundle, in processes that cannot import torch, open_clip and Sionna: its answers are torch's."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from client import KnowledgeBaseClient, SemLink
from local.supervisor import LinkPlan, LocalLink
from shared.clip.bundle import read_manifest, shipped_bundle
from shared.clip.export import write_bundle
from shared.clip.openvino_engine import unavailable
from shared.datasets import open_source
from shared.errors import DataLoss, InvalidSetting, NotFound
from tests.tools.paths import ROOT

if unavailable():
    pytest.skip(unavailable(), allow_module_level=True)

pytestmark = pytest.mark.timeout(400)
PICTURES = 200
WITHOUT = """
import sys
for name in ("torch", "torchvision", "open_clip", "sionna", "timm", "scipy", "huggingface_hub"):
    sys.modules[name] = None  # an import of it raises
"""


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started from now on find none of the large libraries."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{ROOT}")


@contextmanager
def link(folder: Path, *flags: str) -> Iterator[LocalLink]:
    both = {"transmitter": [*flags, "--precision", "float32"], "receiver": flags}
    with LocalLink(LinkPlan(folder / "kb", folder / "logs", "first:4:drawn", flags=both)) as running:
        yield running


def items(running: LocalLink) -> list[str]:
    pictures = [picture.encoded() for picture in islice(open_source("drawn", "query"), PICTURES)]
    with SemLink(running.transmitter, timeout=120) as near:
        answers = near.send_many(pictures, ordered=True, snr_db=10.0, seed=3, stream=1, counter=0)
        return [answer.outcome.item_id for answer in answers]


@pytest.mark.slow
def test_answers_of_a_bundle_are_those_of_the_torch_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    bundle = tmp_path / "bundle"
    made = write_bundle(bundle, "clip-tiny", None, download=False, licence="Apache-2.0")
    with link(tmp_path / "torch", "--clip-engine", "torch") as running:
        expected = items(running)
    request.getfixturevalue("light")
    with link(tmp_path / "edge", "--bundle", str(bundle)) as running:
        found = items(running)
        with SemLink(running.transmitter) as near, KnowledgeBaseClient(running.receiver) as far:
            described = near.describe()
            assert (described.engine, described.clip_fingerprint) == ("openvino", made.about.fingerprint)
            assert {codec.codec for codec in described.codecs} == {"kbsc", "label", "nested", "raw"}
            assert far.search(text="a red star").hits[0].label == "red star"
            picture = next(iter(open_source("drawn", "query"))).encoded()
            assert near.send(picture, codec="kbsc").codec == "kbsc"
            with pytest.raises(NotFound, match="codec deepjscc is a network that runs in torch"):
                near.send(picture, codec="deepjscc")
    same = sum(one == two for one, two in zip(found, expected, strict=True))
    assert same >= 0.98 * PICTURES  # 198 of 200 were measured: the bundle's weights are rounded


def test_the_shipped_bundle_is_whole_and_has_the_fingerprint_of_the_shipped_weights() -> None:
    from shared.clip import load_clip  # noqa: PLC0415 - takes a second

    about = read_manifest(shipped_bundle()).about
    clip = load_clip(device="cpu", precision="float32")
    assert (about.fingerprint, about.dim) == (clip.fingerprint, clip.dim)


def test_what_is_no_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no bundle in .*semlink export"):
        read_manifest(tmp_path)
    for file in shipped_bundle().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    read_manifest(tmp_path)
    (tmp_path / "image.bin").write_bytes(b"other weights")
    with pytest.raises(DataLoss, match=r"image\.bin is not the file that was exported"):
        read_manifest(tmp_path)
    with pytest.raises(InvalidSetting, match="is not empty"):
        write_bundle(tmp_path, "clip-tiny", None, download=False, licence="")
