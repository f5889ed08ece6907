"""A transmitter, CLIP loaded once, and kbsc networks that fit it."""

from pathlib import Path

import pytest

from shared.clip import Clip, load_clip
from shared.codecs.base.weight_files import WEIGHTS_DIR
from tests.tools.kbsc import network, saved
from tests.tools.transmitter import transmitting


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(device="cpu", precision="float32")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Clip) -> None:
    """CLIP loaded once for all tests, and kbsc networks that fit it."""
    monkeypatch.setattr("transmitter.service.load_clip", lambda *_, **__: clip)
    (tmp_path / "kbsc").mkdir()
    for k in (16, 64, 256):
        saved(tmp_path / "kbsc" / f"k{k}.safetensors", network(k), clip.fingerprint)
    monkeypatch.setenv(WEIGHTS_DIR, str(tmp_path))


@pytest.fixture
async def near(parts, tmp_path: Path):
    async with transmitting(tmp_path) as near:
        yield near
