"""The text tower of a bundle, run by OpenVINO: sentences to points on the sphere, without torch and open_clip.

sentence --clean--> words --tokenizer.json--> int64 [context] --text.xml--> float32 [D], length 1
"""

import html
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shared.clip.openvino_engine import compiled_texts
from shared.errors import DataLoss, InvalidInput, NotFound
from shared.files import readable
from shared.printable import joined, shown
from shared.types import Embeddings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TEXT: Final = "text.xml"
TOKENIZER: Final = "tokenizer.json"
_REMEDY: Final = "export the bundle again, and start the service anew"


def cleaned(text: str) -> str:
    """A sentence as open_clip's tokenizer takes it: repaired, without HTML's entities, in lower case."""
    import ftfy  # noqa: PLC0415 - only texts need it

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()


class BundledTexts:
    """Embeds sentences; the tower is loaded with the first one. Safe to call from one thread at a time.

    folder: the bundle. words: all that its tokenizer knows; None for every word.
    """

    def __init__(self, folder: Path, words: Sequence[str] | None) -> None:
        self._folder = folder
        self._words = None if words is None else frozenset(words)

    def __call__(self, texts: list[str]) -> Embeddings:
        """[B, D], float32, length 1. Raises InvalidInput for a word that the bundle does not hold."""
        clean = [cleaned(text) for text in texts]
        self._require_known(clean)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(clean)]
        request = self._request
        with readable(f"{self._folder / TEXT} takes no tokens of {self._folder / TOKENIZER}", DataLoss, _REMEDY):
            embeddings: Embeddings = request.infer([np.array(tokens, np.int64)])[0]
        return embeddings

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        try:
            from tokenizers import Tokenizer  # noqa: PLC0415 - only texts need it
        except ImportError as error:
            raise NotFound("a bundle reads texts by the package tokenizers: pip install tokenizers") from error
        file = self._folder / TOKENIZER
        with readable(f"{file} is no tokenizer that can be read", DataLoss, _REMEDY):
            return Tokenizer.from_file(str(file))

    @cached_property
    def _request(self) -> Any:
        file = self._folder / TEXT
        with readable(f"{file} is no text tower that can be run with the weights beside it", DataLoss, _REMEDY):
            return compiled_texts(file)

    def _require_known(self, texts: Sequence[str]) -> None:
        if self._words is None:
            return
        found = {word for text in texts for word in words_of(self._tokenizer, text)}
        if unknown := sorted(found - self._words):
            raise InvalidInput(
                f"{joined(map(shown, unknown))}: not among the {len(self._words)} words that this bundle knows, which "
                "are those that its CLIP learned; describe the picture by them, or install torch, pip install "
                "'semlink[services]', and leave --bundle out"
            )


def words_of(tokenizer: "Tokenizer", text: str) -> list[str]:
    """The words of a cleaned sentence, before they are split into tokens."""
    return [text[begin:end] for _, (begin, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
