"""Links and paths in documents and code lead to something; `make docs` checks those of the site."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.paths import ROOT

PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "assets/*/README.md")
    for path in ROOT.glob(pattern)
    if path.name != "results.md"
)
LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]*)(?:#([^)\s]+))?\)")
PATH = re.compile(
    r"`((?:assets|channel_proxy|cli|client|docs|lab|local|protos|receiver|semlink|shared|tests|transmitter)/[\w./-]+)`"
)
DOCUMENT = re.compile(r"\bdocs/[\w/.-]+\.(?:md|png)")
SITE_ONLY = ROOT / "docs" / "reference"  # written when the site is built
CODE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as in the repository and on the site."""
    headings = re.findall(r"^#+ (.*)", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    text = CODE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for link, anchor in LINK.findall(text):
        target = ((ROOT / page).parent / link).resolve() if link else ROOT / page
        if target.is_relative_to(SITE_ONLY):
            continue
        if not target.exists():
            yield link
        elif anchor and anchor not in anchors(target):
            yield f"{link}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_paths_in_backticks_exist(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    written = set(re.findall(r"Write\s+`([^`]+)`", text))
    missing = {name for name in PATH.findall(text) if not (ROOT / name).exists()} - written
    assert missing == set()


def test_documents_named_in_code_exist() -> None:
    folders = ("cli", "client", "lab", "local", "receiver", "shared", "transmitter", "channel_proxy", "protos")
    files = [path for name in folders for path in (ROOT / name).rglob("*") if path.suffix in (".py", ".proto", ".j2")]
    named = {name for path in files for name in DOCUMENT.findall(path.read_text(encoding="utf-8"))}
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
