"""What a caller may send: a path, the bytes of a picture file, a PIL image, or a ready embedding."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from shared.errors import Exhausted, InvalidInput, InvalidPicture, InvalidSetting, NotFound
from shared.files import read_regular
from shared.frame.delivery import ReadyEmbedding
from shared.local_path import local_path
from shared.rpc.options import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "str | Path | bytes | bytearray | memoryview | Image | ReadyEmbedding"

# A larger message would break the whole stream instead of failing alone; the rest of a request needs little.
MAX_PICTURE_BYTES = MAX_MESSAGE_BYTES - (64 << 10)
_PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}


def ready_embedding(values: npt.ArrayLike, clip_fingerprint: str | None, source_values: int = 0) -> ReadyEmbedding:
    """An embedding that is sent in place of a picture.

    values: [D], numbers, of any length but 0. clip_fingerprint: of the CLIP that made it. source_values: 3 H W of the
    source picture, 0 where there is none. Raises InvalidInput or InvalidSetting.
    """
    if not clip_fingerprint:
        raise InvalidSetting(
            "an embedding without clip_fingerprint: name the CLIP that made it, as `semlink features` and `semlink kb "
            "info` print it, because the link refuses embeddings of another"
        )
    try:
        array = np.asarray(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the embedding is no array of numbers: {error}") from error
    if array.ndim != 1 or not array.size:
        raise InvalidInput(f"the embedding has the shape {list(array.shape)}: give the [D] values of one")
    return ReadyEmbedding(array, clip_fingerprint, source_values)


def one_of(picture: "Picture | None", embedding: npt.ArrayLike | None, clip_fingerprint: str | None) -> Picture:
    """What is sent: a picture, or an embedding of the CLIP that is named. Raises InvalidSetting for both or none."""
    if embedding is None:
        if picture is None or clip_fingerprint is not None:
            raise InvalidSetting("give a picture, or embedding= and clip_fingerprint= together")
        return picture
    if picture is not None:
        raise InvalidSetting("a picture and an embedding at once: send one of them")
    return ready_embedding(embedding, clip_fingerprint)


def picture_bytes(picture: Picture) -> bytes:
    """The picture file that goes over the wire; empty for a ready embedding.

    picture: path of a file, bytes of a file (JPEG, PNG, WebP ...), or a PIL image, which is sent as PNG.
    Raises NotFound, InvalidPicture or Exhausted, naming the file.
    """
    if isinstance(picture, ReadyEmbedding):
        return b""
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
        return _checked(read_regular(path, MAX_PICTURE_BYTES), str(path))
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
