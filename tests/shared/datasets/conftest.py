"""A folder of two pictures."""

from pathlib import Path

import pytest

from tests.tools.collection_files import png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "猫 & co/b.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(number))
    return tmp_path
