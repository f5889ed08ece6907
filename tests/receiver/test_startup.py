"""Which knowledge base a receiver serves, whether it may write it, and with which CLIP."""

import os
import time
from pathlib import Path

import pytest

from client import NewItem
from receiver.knowledge_base import Origin, write_store
from shared.errors import InvalidInput, Mismatch, Unavailable
from tests.tools.knowledge_base import vectors
from tests.tools.knowledge_service import ask, receiver
from tests.tools.rpc import PATIENCE, serving


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with write_store(tmp_path / "kb", Origin("synthetic", "clip-tiny", "c0ffee")) as store:
        for number, embedding in enumerate(vectors(8)):
            store.add(f"item-{number}", "old", embedding)
    return tmp_path / "kb"


async def test_a_receiver_that_only_reads_refuses_changes_and_shares(directory: Path, tmp_path: Path) -> None:
    async with (
        serving(*receiver(directory, read_only=True), tmp_path / "a") as one,
        serving(*receiver(directory, read_only=True), tmp_path / "b") as other,
    ):
        assert await ask(one, lambda kb: kb.describe()) == await ask(other, lambda kb: kb.describe())
        for change in (
            lambda kb: kb.remove(["item-0"]),
            lambda kb: kb.relabel({"item-0": "x"}),
            lambda kb: kb.snapshot("x"),
            lambda kb: kb.compact(),
        ):
            with pytest.raises(Unavailable, match="receiver that writes it"):
                await ask(one, change)


async def test_a_second_receiver_that_writes_is_refused_unless_it_may_share(directory: Path, tmp_path: Path) -> None:
    async with serving(*receiver(directory), tmp_path / "writer") as writer:
        kind, settings = receiver(directory)
        with pytest.raises(Unavailable, match="--read-only"):
            async with kind.load(settings):
                pass
        async with serving(*receiver(directory, share=True), tmp_path / "follower") as follower:
            added = await ask(writer, lambda kb: [*kb.add([NewItem("late", "new", embedding=vectors(9)[8])], "c0ffee")])
            assert added[0].error is None
            deadline = time.monotonic() + PATIENCE
            while (await ask(follower, lambda kb: kb.describe())).items < 9:
                assert time.monotonic() < deadline
            assert (await ask(follower, lambda kb: kb.search(embedding=vectors(9)[8]))).hits[0].item_id == "late"
            with pytest.raises(Unavailable, match=rf"receiver that writes it \(pid {os.getpid()} on "):
                await ask(follower, lambda kb: kb.remove(["late"]))


async def test_a_clip_that_is_not_the_knowledge_bases_is_refused(tmp_path: Path) -> None:
    with write_store(tmp_path / "kb", Origin("synthetic", "clip-tiny", "c0ffee")) as store:
        store.add("one", "a", vectors(1)[0])
    async with serving(*receiver(tmp_path / "kb"), tmp_path) as address:
        with pytest.raises(Mismatch, match=r"made with c0ffee.*--clip"):
            await ask(address, lambda kb: kb.search(text="a cat"))
        errors = await ask(address, lambda kb: [one.error for one in kb.add([NewItem("x", picture=b"GIF89a")])])
        assert "c0ffee" in str(errors[0])
        assert (await ask(address, lambda kb: kb.search(item_id="one"))).hits[0].item_id == "one"


async def test_a_clip_without_weights_says_what_to_give(tmp_path: Path) -> None:
    with write_store(tmp_path / "kb", Origin("synthetic", "ViT-B-32", "c0ffee")) as store:
        store.add("one", "a", vectors(1)[0])
    async with serving(*receiver(tmp_path / "kb"), tmp_path) as address:
        with pytest.raises(InvalidInput, match="ViT-B-32 comes without weights"):
            await ask(address, lambda kb: kb.search(text="a cat"))
