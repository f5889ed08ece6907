"""A receiver over a real socket, with a knowledge base of drawn embeddings and codecs of drawn weights."""

from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import Origin, write_store
from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.codecs import CodecShelf
from shared.codecs.base.weight_files import WEIGHTS_DIR
from shared.types import Embeddings
from tests.tools.kbsc import network, saved
from tests.tools.receiver import CLIP
from tests.tools.rpc import linked, serving, to_receiver

ITEMS = 300


@pytest.fixture(scope="module")
def items() -> Embeddings:
    """Embeddings of the knowledge base: item-n has label n % 7."""
    drawn = np.random.default_rng(2).normal(size=(ITEMS, 512))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, items: Embeddings) -> Path:
    folder = tmp_path_factory.mktemp("receiver")
    with write_store(folder / "kb", Origin("synthetic", "fake-clip", CLIP, 512)) as writer:
        for number, embedding in enumerate(items):
            writer.add(f"item-{number}", f"label {number % 7}", embedding, thumbnail=b"webp")
    (folder / "kbsc").mkdir()
    for k in (16, 64, 256):
        saved(folder / "kbsc" / f"k{k}.safetensors", network(k), CLIP)
    return folder


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, directory: Path) -> CodecShelf:
    monkeypatch.setenv(WEIGHTS_DIR, str(directory))
    return CodecShelf("cpu", CLIP)


@pytest.fixture
async def receiver(shelf: CodecShelf, directory: Path, tmp_path: Path):
    """The hop to a receiver."""
    settings = ReceiverSettings(kb=directory / "kb", device="cpu", grace_seconds=1, log_level="error")
    async with serving(ReceiverService, settings, tmp_path) as address, linked(to_receiver(address)) as link:
        yield link
