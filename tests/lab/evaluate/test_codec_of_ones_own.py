"""A codec in a file of one's own as a scheme."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.evaluate.data import TestSet
from lab.evaluate.run import evaluate
from shared.errors import InvalidSetting, NotFound
from tests.tools.scenarios import scenario

CODEC = '''
"""A codec of a user's own."""

from typing import ClassVar

from shared.codecs.embedding.raw import Raw


class Mine(Raw):
    """The embedding itself, under another name."""

    name: ClassVar[str] = "mine"
'''


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        return f"{tmp_path / 'mine.py'}:Mine"

    return write


def test_a_codec_in_a_file_of_ones_own(own: Callable[[str], str], test_set: TestSet, tmp_path: Path) -> None:
    schemes = [{"name": "mine", "codec": own(CODEC), "k": [512]}, {"name": "raw", "k": [512]}]
    mine, raw = evaluate(scenario(scheme=schemes), test_set, tmp_path / "out").iter_rows(named=True)
    assert mine["scheme"] == "mine"
    assert mine["semantic_accuracy"] == raw["semantic_accuracy"]
    with pytest.raises(NotFound, match=r"nothing\.py"):
        evaluate(scenario(scheme=[{"name": "nothing.py:Mine", "k": [512]}]), test_set, tmp_path / "out")
    other = own(CODEC).replace(":Mine", ":Yours")
    with pytest.raises(InvalidSetting, match="no codec 'Yours'"):
        evaluate(scenario(scheme=[{"name": other, "k": [512]}]), test_set, tmp_path / "out")
