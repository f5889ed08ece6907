"""The engine `milvus` on a real Milvus server that several receivers share: changed, killed, hanging, as in compose.

The server takes 6 s for a new collection, so the tests share one knowledge base and leave it whole.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("pymilvus", reason="pymilvus is not installed: pip install 'semlink[milvus]'")

from client.knowledge_base import KnowledgeBaseClient
from local.service_process import ServiceProcess
from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, Origin, write_store
from receiver.knowledge_base.index.milvus import MilvusIndex
from shared.errors import Mismatch, SemLinkError, Unavailable
from shared.frame.kb import NewItem
from shared.types import Floats
from tests.tools.milvus_server import MilvusProcess, require_milvus
from tests.tools.paths import ROOT

pytestmark = pytest.mark.slow
DIM, ITEMS = 32, 1200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    require_milvus()
    process = MilvusProcess(tmp_path_factory.mktemp("milvus")).start()
    yield process
    process.stop()


def vectors(count: int, seed: int = 0) -> Floats:
    drawn = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def records(name: str, count: int, seed: int) -> list[ItemRecord]:
    return [ItemRecord(f"{name}-{row}", name, vector) for row, vector in enumerate(vectors(count, seed))]


@pytest.fixture(scope="module")
def settings(server: MilvusProcess) -> EngineSettings:
    return EngineSettings(name="milvus", uri=server.uri)


@pytest.fixture(scope="module")
def base(settings: EngineSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "kb"
    with write_store(folder, Origin("test", "fake-clip", "c0ffee", DIM), settings) as store:
        for row, vector in enumerate(vectors(ITEMS)):
            store.add(f"item-{row}", f"label {row % 7}", vector)
    return folder


@pytest.fixture
def soon_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls to a server that is not there end after seconds."""
    monkeypatch.setattr("receiver.knowledge_base.index.milvus._SEARCH_SECONDS", 2.0)
    monkeypatch.setattr("receiver.knowledge_base.index.milvus._TIMEOUT_SECONDS", 5.0)


def test_no_proxy_of_the_environment_is_asked(
    base: Path, server: MilvusProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pymilvus leaves it to gRPC, which obeys http_proxy; nothing answers at this one."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    uri = server.uri.replace("127.0.0.1", "localhost")  # pymilvus keeps the connections of addresses that it knows
    with KnowledgeBase.open(base, EngineSettings(name="milvus", uri=uri)) as kb:
        assert kb.view.hits(*kb.view.nearest(vectors(1), 1))[0][0].item_id == "item-0"


def same_as_flat(base: Path, found: tuple[np.ndarray, Floats], queries: Floats) -> None:
    with KnowledgeBase.open(base, EngineSettings(name="flat")) as flat:
        for one, other in zip(flat.view.nearest(queries, 10), found, strict=True):
            np.testing.assert_array_equal(one, other)


def almost_as_flat(base: Path, found: tuple[np.ndarray, Floats], queries: Floats) -> None:
    """A server that was started anew searches its own graph: of 50 neighbours 47 and 48 were found, 45 must be."""
    with KnowledgeBase.open(base, EngineSettings(name="flat")) as flat:
        right = flat.view.nearest(queries, 10)[0]
    shared = [len({*one.tolist()} & {*other.tolist()}) for one, other in zip(right, found[0], strict=True)]
    assert np.mean(shared) >= 9


def once_recovered(search: Callable[[], tuple[np.ndarray, Floats]]) -> tuple[np.ndarray, Floats]:
    """What a search finds. A server that has just started reads its log again, and searches time out until it has."""
    for _ in range(60):
        with suppress(Unavailable):
            return search()
    return search()


def test_it_answers_as_exact_search_does_while_it_is_changed(base: Path, settings: EngineSettings) -> None:
    """Added, removed, relabelled and compacted while another thread searches; then three receivers share it."""
    queries, stop, failed = vectors(10, seed=9), threading.Event(), []

    def search(kb: KnowledgeBase) -> None:
        while not stop.is_set():
            try:
                assert kb.view.nearest(queries, 10)[0].shape == (10, 10)
            except Exception as error:  # handed to the test
                failed.append(error)
                return

    with KnowledgeBase.open(base, settings, writable=True) as kb:
        thread = threading.Thread(target=search, args=(kb,))
        thread.start()
        kb.add(records("new", 50, seed=14))
        kb.remove([f"item-{row}" for row in range(0, ITEMS, 3)])
        kb.relabel({f"item-{row}": "other" for row in range(1, ITEMS, 3)})
        kb.compact()
        found = kb.view.nearest(queries, 10)
        stop.set()
        thread.join()
    assert failed == []
    same_as_flat(base, found, queries)
    readers = [KnowledgeBase.open(base, settings) for _ in range(3)]
    for reader in readers:
        same_as_flat(base, reader.view.nearest(queries, 10), queries)
        reader.close()


@pytest.mark.usefixtures("soon_late")
def test_a_kill_in_the_middle_loses_nothing_and_heals_alone(
    base: Path, settings: EngineSettings, server: MilvusProcess
) -> None:
    """What was acknowledged before the kill is found after it; until then, each failure says what is wrong."""
    queries, acknowledged = vectors(5, seed=9), []
    with KnowledgeBase.open(base, settings, writable=True) as kb:
        kb.add(records("before", 20, seed=4))
        acknowledged += [f"before-{row}" for row in range(20)]
        server.kill()
        with pytest.raises(Unavailable, match="Milvus at http"):
            kb.view.nearest(queries, 10)
        try:  # additions go to the store, which is here; they may wait for Milvus, but never half of one
            kb.add(records("meanwhile", 20, seed=5))
            acknowledged += [f"meanwhile-{row}" for row in range(20)]
        except SemLinkError as error:
            assert "Milvus" in str(error)  # noqa: PT017 - either outcome is right
        server.start()
        found = once_recovered(lambda: kb.view.nearest(queries, 10))
        own = np.concatenate([vectors(20, seed=4), vectors(20, seed=5)])[: len(acknowledged)]
        hits = kb.view.hits(*kb.view.nearest(own, 1))
    assert [first.item_id for (first,) in hits] == acknowledged
    almost_as_flat(base, found, queries)


@pytest.mark.usefixtures("soon_late")
def test_a_server_that_hangs_is_an_error_in_time(base: Path, settings: EngineSettings, server: MilvusProcess) -> None:
    with KnowledgeBase.open(base, settings) as kb:
        server.freeze()
        try:
            with pytest.raises(Unavailable, match="did not answer in time"):
                kb.view.nearest(vectors(1), 5)
        finally:
            server.thaw()
        assert once_recovered(lambda: kb.view.nearest(vectors(1), 5))[0].shape == (1, 5)


def collection_of(base: Path, settings: EngineSettings) -> MilvusIndex:
    with KnowledgeBase.open(base, settings) as kb:
        engine = kb.view.engine
    assert isinstance(engine, MilvusIndex)
    return engine


def test_a_collection_that_was_dropped_is_built_again(base: Path, settings: EngineSettings) -> None:
    engine, queries = collection_of(base, settings), vectors(5, seed=9)
    engine._client.drop_collection(engine._collection)
    with KnowledgeBase.open(base, settings, writable=True) as kb:
        same_as_flat(base, kb.view.nearest(queries, 10), queries)


def test_queries_of_another_clip_are_refused(base: Path, settings: EngineSettings) -> None:
    with KnowledgeBase.open(base, settings) as kb, pytest.raises(Mismatch, match="c0ffee"):
        kb.require_clip("0123456789abcdef")


def test_only_the_first_search_waits_for_the_servers_clock(base: Path, settings: EngineSettings) -> None:
    """Consistency Strong waits for the server's next time tick; what it saw stays seen."""
    with KnowledgeBase.open(base, settings, writable=True) as kb:
        engine = kb.view.engine
        assert isinstance(engine, MilvusIndex)
        assert not engine._settled
        kb.view.nearest(vectors(1), 5)
        assert engine._settled
        grown, place = engine.clone(), 1 << 20
        grown.add(np.array([place]), vectors(1, seed=6))
        assert (engine._settled, grown._settled) == (True, False)
        assert grown.search(vectors(1, seed=6), 1)[0][0, 0] == place
        engine._client.delete(engine._collection, ids=[place])


def test_a_collection_of_another_dimension_is_named(base: Path, settings: EngineSettings) -> None:
    engine = collection_of(base, settings)
    engine._client.drop_collection(engine._collection)
    engine._create(DIM + 8)
    with (
        pytest.raises((Unavailable, Mismatch), match=r"dim|dimension"),
        KnowledgeBase.open(base, settings, writable=True) as kb,
    ):
        kb.view.nearest(vectors(1), 5)
    engine._client.drop_collection(engine._collection)  # the next one to open it builds it again


def services_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["services"]
    return found


def test_receivers_run_with_the_environment_of_the_compose_override(
    server: MilvusProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its builder, then three receivers; only host, folder and ports are this machine's."""

    def here(value: str) -> str:
        value = re.sub(r"\$\{SEMLINK_RECEIVER_KB_SOURCE:-drawn\}", "first:1:drawn", value)
        value = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
        return value.replace("http://milvus:19530", server.uri).replace("/kb", str(tmp_path / "kb"))

    override = services_of("docker-compose.milvus.yml")
    (line,) = override["knowledge_base"]["command"]
    build = here(line).replace("semlink ", f"{sys.executable} -m semlink ", 1)
    assert server.uri in build
    for output in ("100 items", ""):  # the second time there is one
        built = subprocess.run(["sh", "-c", build], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
        assert built.returncode == 0, built.stderr
        assert output in built.stdout
    environment = services_of("docker-compose.yml")["receiver"]["environment"] | override["receiver"]["environment"]
    environment |= {"SEMLINK_RECEIVER_METRICS_PORT": "0"}
    for name, value in environment.items():
        if value is not None:
            monkeypatch.setenv(name, here(value))
    receivers = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        receivers.append(ServiceProcess("receiver", tmp_path / str(number)))
        receivers[-1].start()
    try:
        for receiver in receivers:
            receiver.wait_ready(monotonic() + 120)
            with KnowledgeBaseClient(receiver.bound_address(monotonic() + 1)) as client:
                about = client.describe()
                assert about.engine == "milvus"
                item = client.get_item("drawn/kb/00007")
                assert client.search(3, embedding=item.embedding).hits[0].item_id == item.item_id
                (refused,) = client.add([NewItem("new", "new", embedding=item.embedding)], about.clip_fingerprint)
                assert "read" in str(refused.error)
    finally:
        for receiver in receivers:
            receiver.terminate()
            receiver.wait(10)
