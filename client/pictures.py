"""What a caller may send: a path, the bytes of a picture file, or a PIL image."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from shared.errors import Exhausted, InvalidPicture, NotFound
from shared.local_path import local_path
from shared.rpc.options import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "str | Path | bytes | bytearray | memoryview | Image"

# A larger message would break the whole stream instead of failing alone; the rest of a request needs little.
MAX_PICTURE_BYTES = MAX_MESSAGE_BYTES - (64 << 10)
_PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}


def picture_bytes(picture: Picture) -> bytes:
    """The picture file that goes over the wire.

    picture: path of a file, bytes of a file (JPEG, PNG, WebP ...), or a PIL image, which is sent as PNG.
    Raises NotFound, InvalidPicture or Exhausted, naming the file.
    """
    if isinstance(picture, str | Path):
        return _read_file(local_path(picture))
    if isinstance(picture, bytes | bytearray | memoryview):
        return _checked(bytes(picture), "the picture")
    return _checked(_encode(picture), "the picture as PNG")


def _read_file(path: Path) -> bytes:
    if path.is_dir():
        raise InvalidPicture(f"{path} is a folder; give the pictures in it, for example {path}/*.jpg")
    try:
        _check_size(path.stat().st_size, str(path))
        return _checked(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no such file") from error
    except OSError as error:
        raise InvalidPicture(f"{path} cannot be read: {error.strerror or error}") from error


def _encode(image: "Image") -> bytes:
    if not hasattr(image, "save") or not hasattr(image, "mode"):
        raise InvalidPicture(f"a {type(image).__name__} is no picture; give a path, bytes of a file, or a PIL image")
    buffer = BytesIO()
    try:
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(buffer, "PNG", compress_level=1)
    except (OSError, ValueError, SystemError) as error:
        raise InvalidPicture(f"the {image.mode} image of {image.size} pixels cannot be sent: {error}") from error
    return buffer.getvalue()


def _checked(data: bytes, name: str) -> bytes:
    if not data:
        raise InvalidPicture(f"{name} is empty; give a whole picture file")
    _check_size(len(data), name)
    return data


def _check_size(size: int, name: str) -> None:
    if size > MAX_PICTURE_BYTES:
        raise Exhausted(f"{name} has {size} bytes, a message carries at most {MAX_PICTURE_BYTES}; send it smaller")
