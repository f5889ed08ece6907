"""Writes the text tower of a bundle: OpenVINO's model and the tokenizer's file, of all words or of some.

A tokenizer of byte pairs merges what it finds in the order of its table, so a table that lacks what the kept words do
not use gives them the same tokens.
"""

import copy
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

from shared.clip.openvino_engine import save_texts
from shared.clip.texts import TEXT, TOKENIZER, cleaned, words_of
from shared.clip.towers import TextTower
from shared.errors import InvalidSetting

_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What open_clip's standard tokenizer takes for a word."""
_START, _END, _SUFFIX = "<start_of_text>", "<end_of_text>", "</w>"
_PAD = 0
"""The token that fills open_clip's rows up."""


class _Tower(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, context], int64, to [B, D], float32, L2-normalised."""
        embeddings: Tensor = self.model.encode_text(tokens, normalize=True)
        return embeddings


def has_standard_tokenizer(tower: TextTower) -> bool:
    """Whether the tokenizer is CLIP's own, which can be written."""
    return isinstance(tower.tokenize, SimpleTokenizer) and tower.tokenize.reduction_fn is None


def write_texts(folder: Path, tower: TextTower, text: str | None) -> tuple[str, ...] | None:
    """Write tower and tokenizer into a bundle. text: of whose words alone; None for all. Returns the words, or None.

    Raises InvalidSetting for a text without words.
    """
    standard: Any = tower.tokenize
    model, tokenizer = tower.model, _tokenizer(standard, standard.encoder, list(standard.bpe_ranks))
    words = None
    if text is not None:
        words = tuple(sorted(set(words_of(tokenizer, cleaned(text)))))
        if not words:
            raise InvalidSetting(
                "the file of words holds none: write the words that the bundle shall know, or leave it out"
            )
        model, tokenizer = _reduced(model, tokenizer, standard, words)
    save_texts(_Tower(model).eval(), standard.context_length, folder / TEXT)
    tokenizer.save(str(folder / TOKENIZER))
    return words


def _tokenizer(standard: Any, tokens: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer as the library `tokenizers` has it: rows of the context's length, begun, ended and filled up."""
    made = Tokenizer(BPE(vocab=tokens, merges=merges, end_of_word_suffix=_SUFFIX))
    made.pre_tokenizer = Steps([Split(Regex(_WORD), "removed", invert=True), ByteLevel(False, use_regex=False)])
    edges = [(name, tokens[name]) for name in (_START, _END)]
    made.post_processor = TemplateProcessing(single=f"{_START} $A {_END}", special_tokens=edges)
    made.enable_truncation(standard.context_length)
    made.enable_padding(length=standard.context_length, pad_id=_PAD, pad_token=made.id_to_token(_PAD))
    return made


def _reduced(model: Any, tokenizer: Tokenizer, standard: Any, words: Iterable[str]) -> tuple[Any, Tokenizer]:
    """Model and tokenizer with the tokens of some words alone, in the order that they had: the end is the last.

    The tokenizer keeps the merges that its words use, and the pieces that these are made of.
    """
    spelled = [piece for word in words for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(word)]
    merges = sorted(
        {merge for word in spelled for merge in _merges(word, standard.bpe_ranks)}, key=standard.bpe_ranks.get
    )
    pieces = {letter for word in spelled for letter in (*word[:-1], word[-1] + _SUFFIX)} | {
        "".join(one) for one in merges
    }
    kept = sorted({_PAD, *(standard.encoder[piece] for piece in (*pieces, _START, _END))})
    numbers = {old: new for new, old in enumerate(kept)}
    tokens = {piece: numbers[old] for piece, old in standard.encoder.items() if old in numbers}
    return _with_tokens(model, kept), _tokenizer(standard, tokens, merges)


def _merges(word: str, ranks: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The pairs that a word's pieces are merged by, in their order."""
    pieces, used = [*word[:-1], word[-1] + _SUFFIX], []
    while pairs := [pair for pair in pairwise(pieces) if pair in ranks]:
        best = min(pairs, key=ranks.__getitem__)
        used.append(best)
        pieces = _merged(pieces, best)
    return used


def _merged(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """The pieces, each such pair made one, from the left."""
    found: list[str] = []
    place = 0
    while place < len(pieces):
        fits = tuple(pieces[place : place + 2]) == pair
        found.append("".join(pieces[place : place + 1 + fits]))
        place += 1 + fits
    return found


def _with_tokens(model: Any, kept: Sequence[int]) -> Any:
    """A copy of a model whose table of tokens has these rows alone."""
    smaller = copy.deepcopy(model)
    for module in smaller.modules():
        table = getattr(module, "token_embedding", None)
        if isinstance(table, nn.Embedding):
            rows = table.weight[torch.tensor(kept)].detach()
            module.token_embedding = nn.Embedding(len(kept), rows.shape[1], _weight=rows)
    return smaller
