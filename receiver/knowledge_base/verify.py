"""Checks everything on the disk (`semlink kb verify`). Read-only; reports all problems, not just the first."""

import sqlite3
from contextlib import closing
from pathlib import Path

from receiver.knowledge_base.index.index_file import index_problem
from receiver.knowledge_base.index.ranking_file import RankingFile
from receiver.knowledge_base.ingest.pictures import read_original
from receiver.knowledge_base.store import schema
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.schema import Head
from receiver.knowledge_base.store.sqlite import connect_reader, store_uri
from shared.errors import SemLinkError
from shared.frame.kb import Verification

_MOST_PROBLEMS = 1000
_DELETE_RANKING = "the store's is used; delete that file, and it is made anew when the knowledge base is next served"


def verify(directory: Path) -> Verification:
    """Check a knowledge base: store, embeddings, thumbnails, pictures here and outside, indexes.

    Raises NotFound without a knowledge base there, DataLoss where not even its pointer can be read.
    """
    layout = Layout(directory)
    path = layout.current()
    found = verify_store(path, outside=True, ranking_path=layout.ranking(path))
    indexes = sorted(directory.glob(f"{path.stem}.*.index"))
    try:
        with closing(connect_reader(store_uri(path))) as connection:
            store_id = schema.read_meta(connection, path)["store_id"]
    except (SemLinkError, sqlite3.DatabaseError):
        return found  # reported already; an index cannot be checked without its store
    problems = list(found.problems)
    for index in indexes:
        engine = index.name.removeprefix(f"{path.stem}.").removesuffix(".index")
        if (why := index_problem(engine, index, store_id)) is not None:
            problems.append(f"the index {index} is {why}; delete it, and it is built again from the store")
    return Verification(found.items, len(indexes), tuple(problems))


def verify_store(path: Path, *, outside: bool = False, ranking_path: Path | None = None) -> Verification:
    """Check one store file, in one consistent state.

    outside: also the pictures that it points to. ranking_path: of a ranking file to be checked with it
    """
    problems: list[str] = []
    items = total = 0
    try:
        with closing(connect_reader(store_uri(path))) as connection:
            connection.execute("BEGIN")
            meta = schema.read_meta(connection, path)
            head = Head.from_meta(meta)
            ranking = None if ranking_path is None else RankingFile(ranking_path, int(meta["dim"]))
            structure = [line for (line,) in connection.execute("PRAGMA integrity_check(100)")]
            problems += [f"SQLite: {line}" for line in structure if structure != ["ok"]]
            for row in connection.execute(f"{schema.WHOLE_ITEMS} ORDER BY position"):
                items += 1
                total += int.from_bytes(row[9], "big")
                if (problem := _item_problem(row, path, outside)) is not None:
                    problems.append(problem)
                if ranking is not None and row[0] < ranking.count and not ranking.holds(row[0], row[6]):
                    problems.append(f"the row of {row[1]!r} in {ranking_path} is damaged; {_DELETE_RANKING}")
                if len(problems) > _MOST_PROBLEMS:
                    return Verification(items, 0, (*problems, "there is more; it was not looked for"))
            if items != head.items or schema.sum_digests(total) != head.total:
                problems.append(f"{path} holds {items} items that are not the {head.items} that were stored")
    except SemLinkError as error:
        problems.append(str(error))
    except (sqlite3.DatabaseError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        problems.append(f"{path} is damaged: {error}")
    return Verification(items, 0, tuple(problems))


def _item_problem(row: tuple, path: Path, outside: bool) -> str | None:  # type: ignore[type-arg]
    *columns, proof = row
    try:
        item = schema.check_item(tuple(columns), path)
        if proof != columns[6]:
            return f"the proof of the embedding of {item.item_id!r} is not what was stored"
        if outside and item.path and not item.picture:
            read_original(item)
    except SemLinkError as error:
        return str(error)
    except (AttributeError, TypeError, ValueError) as error:
        return f"the item {row[1]!r} at position {row[0]} is not what was stored: {error}"
    return None
