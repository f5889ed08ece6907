"""The Python examples of README and docs, run against a link."""

import re
from pathlib import Path

import pytest

from local.supervisor import LocalLink
from tests.tools.paths import ROOT

PAGES = ("README.md", "docs/how-to/python.md", "docs/how-to/other-languages.md", "docs/how-to/harq.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_example_runs(
    page: str,
    link: LocalLink,
    drawn_pngs: list[tuple[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, (_, data) in zip(("cat.jpg", "dog.jpg"), drawn_pngs, strict=False):
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    example = example.replace("127.0.0.1:50051", link.transmitter).replace(
        "SemLink()", f'SemLink("{link.transmitter}")'
    )
    exec(compile(f"from semlink import SemLink\n{example}", page, "exec"), {})
    assert capsys.readouterr().out.strip()
