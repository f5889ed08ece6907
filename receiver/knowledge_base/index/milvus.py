"""`milvus`: the vectors in a Milvus, past one machine, shared by several receivers.

    uri FILE.db             Milvus Lite, inside this process       for one receiver
    uri http://HOST:19530   a Milvus server or cluster             for any number of receivers

The same code serves both. Each store has its own collection, named after it, which grows with it; a position and its
vector never change, so receivers that opened the knowledge base earlier still find their items.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from receiver.knowledge_base.index.base import Vectors
from receiver.knowledge_base.index.settings import EngineSettings
from shared.errors import InvalidSetting, Mismatch, NotFound, Unavailable
from shared.printable import first_line
from shared.rpc.address import proxy_allowed
from shared.types import Floats, Positions

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_BATCH_ITEMS = 1000  # about 2 MB a request
_MOST = 16_384  # neighbours that Milvus finds
_SPARE = 10  # candidates beyond those asked for: a cluster's index may compress
_TIMEOUT_SECONDS = 60.0  # of a change
_SEARCH_SECONDS = 10.0
_NOT_LOADED = (101, 503)
"""Codes of Milvus when it has been started anew and does not hold the collection in memory."""


class MilvusIndex:
    """Finds candidates in one collection of a Milvus."""

    name: ClassVar[str] = "milvus"
    exact: ClassVar[bool] = False
    growing: ClassVar[bool] = True

    def __init__(self, settings: EngineSettings) -> None:
        if not settings.uri:
            raise InvalidSetting("engine = 'milvus' needs a uri: FILE.db for Milvus Lite, or http://HOST:19530")
        if settings.device == "cuda":
            raise InvalidSetting("device = 'cuda', but Milvus chooses its own; choose 'cpu' or 'auto'")
        self._uri = settings.uri
        self._collection = settings.collection or "semlink"
        self._client = _connect(settings.uri)
        self._items = 0
        self._settled = False  # whether a search has seen all that this holds

    def __len__(self) -> int:
        return self._items

    def build(self, vectors: Vectors) -> None:
        """Bring a collection up to these vectors; searches of the same collection go on."""
        with self._reporting():
            if not self._client.has_collection(self._collection):
                self._create(vectors.dim)
            self._check_dim(vectors.dim)
            after = -1
            for positions, embeddings in vectors.chunks(_BATCH_ITEMS):
                self._upsert(positions, embeddings)
                self._drop_between(after, positions)
                after = int(positions[-1])
            self._client.delete(self._collection, filter=f"position > {after}", timeout=_TIMEOUT_SECONDS)
            self._client.flush(self._collection, timeout=_TIMEOUT_SECONDS)
            self._client.load_collection(self._collection, timeout=_TIMEOUT_SECONDS)
            self._items = self._count()
        self._settled = False

    def search(self, queries: Floats, k: int) -> tuple[Positions, Floats]:
        """See `IndexEngine.search`."""
        count = min(k + _SPARE, max(len(self), 1), _MOST)
        with self._reporting():
            found = self._search(queries, count)
        positions = np.full((len(queries), count), -1, np.int64)
        squared = np.full((len(queries), count), np.inf, np.float32)
        for row, hits in enumerate(found):
            positions[row, : len(hits)], squared[row, : len(hits)] = hits.ids, hits.distances
        return positions, squared

    def _search(self, queries: Floats, count: int) -> Any:
        """Ask; a server that was started anew is first told to load the collection again.

        The first search after a change or an error is of consistency level Strong: it waits until the server has seen
        all changes, which takes up to 0.4 s. What it has seen stays, so later ones need not wait.
        """
        from pymilvus import MilvusException  # noqa: PLC0415

        options = {
            "limit": count,
            "anns_field": "embedding",
            "search_params": {"metric_type": "L2"},
            "timeout": _SEARCH_SECONDS,
        }
        settled, self._settled = self._settled, False
        level = "Session" if settled else "Strong"
        try:
            found = self._client.search(self._collection, data=list(queries), consistency_level=level, **options)
        except MilvusException as error:
            if error.code not in _NOT_LOADED:
                raise
            self._client.load_collection(self._collection, timeout=_TIMEOUT_SECONDS)
            found = self._client.search(self._collection, data=list(queries), consistency_level="Strong", **options)
        self._settled = True
        return found

    def clone(self) -> Self:
        """The same collection: additions are at positions that no other view uses yet."""
        return copy(self)

    def add(self, positions: Positions, embeddings: Floats) -> None:
        """See `IndexEngine.add`."""
        with self._reporting():
            for start in range(0, len(positions), _BATCH_ITEMS):
                part = slice(start, start + _BATCH_ITEMS)
                self._upsert(positions[part], embeddings[part])
            self._client.flush(self._collection, timeout=_TIMEOUT_SECONDS)
            self._items = self._count()
        self._settled = False

    def save(self, path: Path) -> None:
        """Write one line of JSON that names the collection and what it holds."""
        path.write_text(json.dumps({"collection": self._collection, "items": self._items}) + "\n", encoding="utf-8")

    def load(self, path: Path) -> None:
        """Find the collection again. Raises RuntimeError when it is not there or holds less than it did."""
        with path.open("rb") as file:
            kept = json.loads(file.readline())
        with self._reporting():
            self._collection = kept["collection"]
            if not self._client.has_collection(self._collection):
                raise RuntimeError(f"{self._uri} has no collection {self._collection}")
            self._client.load_collection(self._collection, timeout=_TIMEOUT_SECONDS)
            self._items = self._count()
        if self._items < kept["items"]:
            raise RuntimeError(f"{self._collection} in {self._uri} has {self._items} of {kept['items']} items")
        self._settled = False

    def pending(self) -> int:
        """Vectors that the collection holds and its graph does not yet: Milvus builds it after it has them."""
        with self._reporting():
            (name,) = self._client.list_indexes(self._collection)
            about = self._client.describe_index(self._collection, name, timeout=_TIMEOUT_SECONDS)
        return int(about["pending_index_rows"])

    def drop(self) -> None:
        """Remove the collection, with all that is in it."""
        with self._reporting():
            self._client.drop_collection(self._collection, timeout=_TIMEOUT_SECONDS)

    def _create(self, dim: int) -> None:
        from pymilvus import DataType  # noqa: PLC0415 - a second to import, and only this engine needs it

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("position", DataType.INT64, is_primary=True)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dim)
        index = self._client.prepare_index_params()
        index.add_index("embedding", index_type="AUTOINDEX", metric_type="L2")
        self._client.create_collection(self._collection, schema=schema, index_params=index)

    def _check_dim(self, dim: int) -> None:
        """Raise Mismatch where the collection holds vectors of another dimension."""
        fields = self._client.describe_collection(self._collection, timeout=_TIMEOUT_SECONDS)["fields"]
        found = next(int(field["params"]["dim"]) for field in fields if field["name"] == "embedding")
        if found != dim:
            raise Mismatch(
                f"the collection {self._collection} of {self._uri} holds vectors of dimension {found}, this knowledge "
                f"base {dim}: drop that collection, or name another Milvus"
            )

    def _upsert(self, positions: Positions, embeddings: Floats) -> None:
        rows: list[dict[str, Any]] = [
            {"position": position, "embedding": embedding}
            for position, embedding in zip(positions.tolist(), embeddings, strict=True)
        ]
        self._client.upsert(self._collection, rows, timeout=_TIMEOUT_SECONDS)

    def _drop_between(self, after: int, positions: Positions) -> None:
        """Delete removed items: the positions between these, and after `after`."""
        gone = np.setdiff1d(np.arange(after + 1, int(positions[-1])), positions)
        if gone.size:
            self._client.delete(self._collection, ids=gone.tolist(), timeout=_TIMEOUT_SECONDS)

    def _count(self) -> int:
        answer = self._client.query(
            self._collection,
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
            timeout=_TIMEOUT_SECONDS,
        )
        return int(answer[0]["count(*)"])

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Translate Milvus's errors."""
        from grpc import RpcError  # noqa: PLC0415 - what pymilvus lets through when a deadline passes
        from pymilvus import MilvusException  # noqa: PLC0415

        try:
            yield
        except RpcError as error:
            raise Unavailable(
                f"Milvus at {self._uri} did not answer in time ({error.code().name}); see that it runs and is not stuck"
            ) from error
        except MilvusException as error:
            raise Unavailable(
                f"Milvus at {self._uri} answered: {first_line(error)}; see that it runs and has room"
            ) from error


def _connect(uri: str) -> "MilvusClient":
    try:
        from pymilvus import MilvusClient, MilvusException  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotFound("engine milvus needs pymilvus: pip install 'semlink[milvus]'") from error
    remote = "://" in uri
    if not remote and not uri.endswith(".db"):
        raise InvalidSetting(f"uri = {uri!r}; give a file that ends in .db, or http://HOST:19530")
    if not remote:
        _require_lite()
        Path(uri).absolute().parent.mkdir(parents=True, exist_ok=True)
    try:
        # gRPC itself would ask a proxy of the environment for every Milvus, also for one on this machine.
        options = {"grpc.enable_http_proxy": int(remote and proxy_allowed(uri.rpartition("://")[2].rstrip("/")))}
        return MilvusClient(uri, timeout=_TIMEOUT_SECONDS, grpc_options=options)
    except (MilvusException, OSError) as error:
        raise Unavailable(
            f"no Milvus at {uri}: {first_line(error)}; start it, or see that no other process has that file open"
        ) from error


def _require_lite() -> None:
    try:
        import milvus_lite  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        # Its package asks for faiss-cpu, which must not lie beside faiss-gpu; it runs on either.
        raise NotFound(
            "a file as uri needs Milvus Lite, which is not installed: pip install --no-deps 'milvus-lite>=3.2,<4'"
        ) from error
