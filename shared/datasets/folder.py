"""Any folder of pictures: one sub-folder for each label, or no sub-folders and no labels."""

from pathlib import Path

from shared.errors import NotFound

SUFFIXES = frozenset(
    ".jpg .jpeg .png .webp .gif .bmp .tif .tiff .ppm .pgm .avif .heic .heif".split()  # noqa: SIM905 - reads better
)


def list_pictures(root: Path) -> list[tuple[str, Path]]:
    """Label and path of every picture below a folder, sorted by path; hidden files and other kinds are passed over."""
    if not root.is_dir():
        raise NotFound(f"There is no folder {str(root)!r}; give a folder with one sub-folder of pictures per label.")
    files = []
    for path in sorted(root.rglob("*")):
        *folders, name = path.relative_to(root).parts
        hidden = any(part.startswith(".") for part in (*folders, name))
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            files.append((folders[0] if folders else "", path))
    if not files:
        raise NotFound(f"The folder {str(root)!r} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return files
