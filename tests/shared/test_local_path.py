"""Paths as users type them."""

from pathlib import Path

import pytest

from client.pictures import picture_bytes
from shared.errors import InvalidInput
from shared.local_path import local_path


@pytest.mark.parametrize("address", ["https://example.org/a b.png", "s3://bucket/key", "HTTP://example.org"])
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_on_the_network_is_refused_with_its_own_text(address: str, kind: type) -> None:
    scheme, _, rest = address.partition("://")
    with pytest.raises(InvalidInput, match=f"{scheme}://{rest} is an address.*curl -LO"):
        local_path(kind(address))


def test_no_path_is_not_the_current_folder() -> None:
    with pytest.raises(InvalidInput, match="empty path"):
        local_path("")


def test_paths_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/a.png") == tmp_path / "a.png"
    assert local_path("file:///a%20b.png") == Path("/a b.png")
    assert local_path("drawn:a/b") == Path("drawn:a/b")
    (tmp_path / "a.png").write_bytes(b"picture")
    assert picture_bytes("~/a.png") == b"picture"
