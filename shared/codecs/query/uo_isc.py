"""`uo-isc`: of a picture the tokens that a question needs, in quantized segments, over 5G LDPC and QAM.

    pixels, question --judge--> relevance --> k of 64 cells --positions-----------.
    pixels, question --encoder--> tokens of these cells --s segments of 6 bits----> bits --CRC, LDPC, QAM--> x [k/2]
    x_hat [k/2] --soft demapping, LDPC, CRC--> bits --> segments --painter--> pixels, or grey

One model for all rates: more bits are more tokens and more segments of each. The painter does not know the question.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from shared.binary import from_bits, to_bits
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import on_device, relevance_of, to_unit_range
from shared.codecs.answerers.network import AnswererNetwork, Features
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.base.picture import (
    ASKED_SIDE,
    FURTHER_LOST,
    GREY,
    Asked,
    DecodedPictures,
    FollowingCodec,
    check_asked,
)
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_weights, weights_path
from shared.codecs.picture.ldpc import LOST
from shared.codecs.query import tokens
from shared.codecs.query.held import Held
from shared.codecs.query.klt import BlockLdpc, judge_on
from shared.codecs.query.sight import JUDGE, JudgeSight, Sight
from shared.codecs.query.tokens import Layout
from shared.codecs.query.uo_isc_network import UoIscNetwork
from shared.types import Bits, Bools, Complex, Floats, Ints, Pixels


class Missing(NamedTuple):
    """Cells that a further question needs, and are not held.

    new: [64]. indices: [n, s], their segments. bits: that they take, with how many and which they are
    """

    new: Bools
    indices: Ints
    bits: int


class TokenSource:
    """Pictures to bits and back.

    The bits are the positions, then the first segments of all tokens, and so on. A picture is painted alone, so that it
    is the same to the bit whatever else arrives beside it.
    """

    def __init__(self, network: UoIscNetwork, judge: Answerer, sight: Sight | None = None) -> None:
        self._network, self._judge = network.eval().requires_grad_(False), judge
        self._sight = sight or JudgeSight(judge)
        weights = fingerprint_of_weights(network.state_dict(), "uo-isc")
        parts = (weights, judge.fingerprint, repr(tokens.TOKENS), *self._sight.parts)
        self.fingerprint = fingerprint_of([part.encode() for part in parts])

    @classmethod
    def from_file(cls, path: Path, judge: Answerer, device: str = "cpu", sight: Sight | None = None) -> Self:
        """The network in a file of `semlink train uo-isc`.

        Raises DataLoss if it holds none, or one that saw with other towers than `sight`, by default the judge's.
        """
        tensors, metadata = read_weights(path, "uo-isc")
        sight = sight or JudgeSight(judge)
        with holding_weights(path, "uo-isc"):
            if (tower := metadata.get("tower", JUDGE)) != sight.name:
                raise ValueError(f"it sees with the towers of {tower}, not with those of {sight.name}")
            network = UoIscNetwork(*sight.channels, aligned=metadata["aligned"] == "yes")
            network.load_state_dict(tensors)
        return cls(on_device(network, device), judge, sight)

    def encode(self, asked: Asked, bits: int, layout: Layout | None = None) -> Bits:
        """Pictures in `bits` bits each: [B, bits]. layout: of the bits; None for the usual one."""
        relevance = asked.relevance
        if relevance is None:
            relevance = self._judge.look(asked.pixels, asked.words).relevance
        layout = layout or tokens.layout_of(bits)
        return self.encode_cells(asked, tokens.choose_cells(relevance, layout.tokens), bits, layout)

    def cells(self, relevance: Floats, bits: int) -> Bools:
        """See `Source`: the cells that become tokens."""
        chosen = tokens.choose_cells(relevance, tokens.layout_of(bits).tokens)
        return chosen.reshape(-1, tokens.CELLS, tokens.CELLS)

    def encode_cells(self, asked: Asked, chosen: Bools, bits: int, layout: Layout) -> Bits:
        """The same, with the cells that become tokens: [B, 64], `layout.tokens` in each picture."""
        indices = self.indices(asked, chosen)[:, : layout.segments]
        by_segment = indices.reshape(len(chosen), layout.tokens, layout.segments).transpose(0, 2, 1)
        parts = (
            tokens.to_position_bits(chosen, layout),
            to_bits(by_segment.reshape(len(chosen), -1), tokens.SEGMENT_BITS),
        )
        coded = np.concatenate(parts, axis=1)
        return np.pad(coded, ((0, 0), (0, bits - coded.shape[1])))

    @torch.inference_mode()
    def indices(self, asked: Asked, chosen: Bools) -> Ints:
        """Codewords of all segments of tokens, picture by picture: [M, 24]. chosen: cells of each picture, [B, 64]."""
        pictures = to_unit_range(asked.pixels).to(self._device)
        features = asked.seen if isinstance(self._sight, JudgeSight) else None
        if features is None:
            words = torch.from_numpy(np.ascontiguousarray(asked.words)).to(self._device)
            features = self._sight.see(pictures, words)
        continuous = self._network.encoder(pictures, features, places(chosen).to(self._device))
        found: Ints = self._network.quantize(continuous).indices.cpu().numpy()
        return found

    def decode(self, bits: Bits, layout: Layout | None = None) -> Pixels:
        """The reverse of `encode`: pictures [B, 64, 64, 3], uint8."""
        return np.concatenate([self.show(self.hold(row, layout)) for row in bits])

    @staticmethod
    def hold(bits: Bits, layout: Layout | None = None) -> Held:
        """What a receiver holds after the bits of a first question: [bits]."""
        layout = layout or tokens.layout_of(len(bits))
        chosen = tokens.from_position_bits(bits[None, : layout.position_bits], layout)[0]
        coded = layout.tokens * layout.segments * tokens.SEGMENT_BITS
        indices = from_bits(bits[None, layout.position_bits : layout.position_bits + coded], tokens.SEGMENT_BITS)
        return Held.nothing(layout).with_cells(chosen, indices.reshape(layout.segments, layout.tokens).T)

    def show(self, held: Held) -> Pixels:
        """The picture of what is held: [1, 64, 64, 3]; grey while that is nothing."""
        if not held.there.any():
            return np.full((1, ASKED_SIDE, ASKED_SIDE, 3), GREY, np.uint8)
        return self.paint(held.indices[held.there].astype(np.int64), held.there)

    def missing(self, asked: Asked, held: Held) -> Missing:
        """What a question about one picture needs and is not held; asked: of one row, with its relevance."""
        assert asked.relevance is not None
        new = tokens.choose_cells(asked.relevance, held.layout.tokens)[0] & ~held.there
        segments = held.layout.segments
        indices = self.indices(asked, new[None])[:, :segments] if new.any() else np.zeros((0, segments), np.int64)
        return Missing(new, indices, held.bits_for(int(new.sum())))

    @torch.inference_mode()
    def paint(self, indices: Ints, chosen: Bools) -> Pixels:
        """One picture [1, 64, 64, 3] of the first segments of tokens, [T, s], in the cells [64]."""
        known = torch.from_numpy(np.ascontiguousarray(indices)).to(self._device)
        segments = torch.zeros(len(known), *self._network.books.shape[::2], device=self._device)
        segments[:, : known.shape[1]] = self._network.codewords(known)
        sent = torch.zeros(segments.shape[:2], device=self._device)
        sent[:, : known.shape[1]] = 1
        painted = self._network.painter(segments, sent, places(chosen[None]).to(self._device), 1)
        return to_pixels(painted)

    @property
    def _device(self) -> torch.device:
        return self._network.books.device


class UoIsc(BlockLdpc, FollowingCodec):
    """The learned codec: the question decides which cells are sent, and how they are told."""

    name: ClassVar[str] = "uo-isc"
    _source: TokenSource

    def begin(self, asked: Asked, snr_db: float) -> tuple[Complex, Held]:
        """See `FollowingCodec`."""
        check_asked(self.name, asked)
        bits = self._source.encode(asked, self._bits_at(snr_db))
        return self._sent(bits, snr_db), self._source.hold(bits[0])

    def nothing(self, snr_db: float) -> Held:
        """See `FollowingCodec`."""
        return Held.nothing(tokens.layout_of(self._bits_at(snr_db)))

    def needed(self, asked: Asked, held: Held) -> Missing:
        """See `FollowingCodec`."""
        check_asked(self.name, asked)
        return self._source.missing(asked, held)

    def go_on(self, needed: Missing, held: Held, snr_db: float) -> tuple[Complex, Held]:
        """See `FollowingCodec`."""
        bits = held.encode(needed.new, needed.indices, self._bits_at(snr_db))
        return self._sent(bits[None], snr_db), held.with_cells(needed.new, needed.indices)

    def with_all_of(self, bits: int) -> Self:
        """See `FollowingCodec`."""
        return self._with(_wanted=bits, _least=bits)

    def _bits_at(self, snr_db: float) -> int:
        """Bits of a burst at this design SNR, dB, which counts in float32 as everywhere."""
        return self.payload_bits(self.mode(float(np.float32(snr_db))))

    def _sent(self, bits: Bits, snr_db: float) -> Complex:
        """Symbols [k/2] of the bits of one picture: [1, `_bits_at`]."""
        x: Complex = self.send(np.array([snr_db], np.float32), 1, lambda _, number: self.modulate(bits, number))[0]
        return x

    def decode_further(
        self, x_hat: Complex, n0_eff: Floats, held: Sequence[Held | None]
    ) -> tuple[DecodedPictures, Sequence[Held]]:
        """See `FollowingCodec`."""
        messages, right = self.received(x_hat, n0_eff)
        now = [_held_after(*row) for row in zip(messages, right, held, strict=True)]
        pixels = np.concatenate([self._source.show(each) for each in now])
        missing = [_why(*row) for row in zip(right, now, strict=True)]
        return DecodedPictures(pixels, missing), now

    @classmethod
    def source_on(cls, device: str) -> TokenSource:
        """See `SourceCodec`."""
        return _source(device)


def _held_after(bits: Bits, right: bool, held: Held | None) -> Held:
    """What is held of a picture after a burst, if its checksum is `right`."""
    if right:
        return TokenSource.hold(bits) if held is None else held.decode(bits)
    return Held.nothing(tokens.layout_of(len(bits))) if held is None else held


def _why(right: bool, held: Held) -> str:
    if right:
        return ""
    return FURTHER_LOST if held.there.any() else LOST


def relevance_in(judge: AnswererNetwork, features: Features) -> Tensor:
    """What each cell contributes to the answer: [B, 8, 8]."""
    return relevance_of(judge, features.coarse, features.question)[1]


def places(chosen: Bools) -> Tensor:
    """Picture, row and column of each token, picture by picture: [M, 3]. chosen: [B, 64]."""
    picture, cell = np.nonzero(chosen)
    return torch.from_numpy(np.stack([picture, *np.divmod(cell, tokens.CELLS)], axis=1))


def to_pixels(pictures: Tensor) -> Pixels:
    """Pictures [B, H, W, 3], uint8, of tensors [B, 3, H, W] in [0, 1]; what lies outside is clipped."""
    pixels: Pixels = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return np.ascontiguousarray(pixels)


@lru_cache(maxsize=2)
def _source(device: str) -> TokenSource:
    return TokenSource.from_file(weights_path("uo-isc", "model.safetensors"), judge_on(device), device)
