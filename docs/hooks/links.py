"""Shows files outside of docs/ on the site, and turns links to files of the repository into links of the site.

The same Markdown is read in the repository and on the site, so its links are those of the repository.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
SHOWN = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.md",
    **{
        f"assets/{file.parent.name}/README.md": f"cards/{file.parent.name}.md"
        for file in ROOT.glob("assets/*/README.md")
    },
}  # file of the repository -> page of the site
ORIGIN = {page: file for file, page in SHOWN.items()}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of `SHOWN`."""
    for file, page in SHOWN.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        if not file.endswith(".md"):
            text = f"# {file.capitalize()}\n\n```text\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite the links of one page."""
    source = ORIGIN.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(lambda link: _on_the_site(link[1], source, page.file.src_uri), markdown)


def _on_the_site(link: str, source: str, page: str) -> str:
    """Where `link`, in the file `source` of the repository, leads from `page` of the site."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if target in SHOWN:
        target = SHOWN[target]
    elif target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif target.endswith(".py") and (ROOT / target).is_file():
        package, _, module = target.removesuffix(".py").rpartition("/")
        target = f"reference/{package.replace('/', '.')}.md#{package.replace('/', '.')}.{module}"
    elif target.startswith("protos/"):
        target = "reference/protocol.md"
    else:
        return link  # mkdocs --strict refuses it
    return posixpath.relpath(target, posixpath.dirname(page) or ".")
