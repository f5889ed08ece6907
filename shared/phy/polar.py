"""A short code for headers: CRC, polar code, repetition; decoded by successive cancellation with a list.

    bits [A] --CRC-16--> [K = A + 16] --polar code of length N--> --repeated--> [E] --QPSK--> x [E/2]
    LLRs [E] --added where repeated--> [N] --list of 8 paths--> the likeliest one whose CRC is right, or none

N is a power of two up to 1024, E >= N. The K most reliable of the N bit channels carry the message, by the beta
expansion w(i) = sum_j b_j 2^(j/4) of i = sum_j b_j 2^j: near the sequence of 3GPP TS 38.212, and without a table.
(Arikan, "Channel polarization", IEEE Trans. Inf. Theory 55, 2009. He et al., "Beta-expansion: a theoretical framework
for fast and recursive construction of polar codes", GLOBECOM 2017. Tal, Vardy, "List decoding of polar codes", IEEE
Trans. Inf. Theory 61, 2015. Hashemi, Condo, Gross, "Simplified successive-cancellation list decoding of polar codes",
ISIT 2016: what nodes of frozen bits and of repetitions cost. CRC-16: x^16 + x^12 + x^5 + 1, 3GPP TS 38.212, 5.1.)

The decoder compares sums of LLRs alone (min-sum), so a factor on all of them changes nothing: it needs no N0.
"""

from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from shared.errors import InvalidSetting
from shared.types import Bits, Bools, Complex, Floats, Ints

_Any = TypeVar("_Any", bound=np.generic)

CRC_BITS: Final = 16
LIST_SIZE: Final = 8
_CRC_POLYNOMIAL: Final = 0x1021
_LONGEST: Final = 1024
_QPSK: Final = np.float32(0.5**0.5)


class PolarCode(NamedTuple):
    """A code of `message_bits`, without the CRC, in `symbols` symbols. Raises InvalidSetting if it cannot be."""

    message_bits: int
    symbols: int

    @property
    def length(self) -> int:
        """N: the largest power of two that is not above the bits sent, and at most 1024."""
        length = min(_LONGEST, 1 << (2 * self.symbols).bit_length() - 1)
        if length < self.message_bits + CRC_BITS:
            raise InvalidSetting(
                f"{self.message_bits} bits and a CRC of {CRC_BITS} in {self.symbols} symbols: give more symbols"
            )
        return length

    def encode(self, messages: Bits) -> Complex:
        """Messages [B, A], 0 or 1, to symbols [B, n], complex64, each of unit power."""
        word = np.zeros((len(messages), self.length), np.uint8)
        word[:, _places(self)] = np.hstack([messages, crc_of(messages)])
        sent = transform(word)[:, np.arange(2 * self.symbols) % self.length]
        signs = (1 - 2 * sent.astype(np.float32)) * _QPSK
        return np.ascontiguousarray(signs).view(np.complex64)

    def decode(self, matched: Complex, paths: int = LIST_SIZE) -> tuple[Bits, Bools]:
        """Messages [B, A] of matched-filter outputs conj(h) y [B, n], and whether a path with a right CRC was found."""
        llr = np.ascontiguousarray(matched, np.complex64).view(np.float32)
        summed = np.zeros((len(llr), self.length), np.float32)
        for start in range(0, llr.shape[1], self.length):
            part = llr[:, start : start + self.length]
            summed[:, : part.shape[1]] += part
        words = _decode_list(summed, _frozen(self), paths)[:, :, _places(self)]
        remainders = crc_of(words.reshape(-1, words.shape[2]))
        right = np.logical_not(np.any(remainders, axis=1)).reshape(words.shape[:2])
        chosen = right.argmax(axis=1)  # the first that is right, likeliest first
        messages: Bits = words[np.arange(len(words)), chosen, : self.message_bits]
        return messages, np.any(right, axis=1)


def transform(bits: Bits) -> Bits:
    """U G of Arikan's transform, G = [[1, 0], [1, 1]] to the n-th Kronecker power: [B, N]."""
    x = bits.copy()
    half = 1
    while half < x.shape[1]:
        pairs = x.reshape(len(x), -1, 2, half)
        pairs[:, :, 0] ^= pairs[:, :, 1]
        half *= 2
    return x


def crc_of(bits: Bits) -> Bits:
    """CRC-16 of messages: [B, A] to [B, 16]; of a message with its CRC behind it, zeros."""
    remainders: Bits = (bits.astype(np.int64) @ _crc_rows(bits.shape[1]) & 1).astype(np.uint8)
    return remainders


@lru_cache(maxsize=16)
def _crc_rows(count: int) -> Ints:
    """The CRC of each message with a single one: [count, 16]; the CRC of a message is the sum of its ones'."""
    value, rows = 1, []
    for _ in range(CRC_BITS):
        value = _shifted(value)
    for _ in range(count):
        rows.append([value >> place & 1 for place in reversed(range(CRC_BITS))])
        value = _shifted(value)
    return np.array(rows[::-1], np.int64)


def _shifted(value: int) -> int:
    """Value x modulo the polynomial."""
    value <<= 1
    return value ^ (1 << CRC_BITS | _CRC_POLYNOMIAL) if value >> CRC_BITS else value


@lru_cache(maxsize=64)
def _places(code: PolarCode) -> Ints:
    """The bit channels of message and CRC, ascending: [K]."""
    bits = np.arange(code.length)[:, None] >> np.arange(code.length.bit_length() - 1) & 1
    weight = bits @ 2.0 ** (np.arange(bits.shape[1]) / 4)
    return np.sort(np.argsort(weight, kind="stable")[-(code.message_bits + CRC_BITS) :])


@lru_cache(maxsize=64)
def _frozen(code: PolarCode) -> Bools:
    """Whether each bit channel carries nothing: [N]."""
    frozen = np.ones(code.length, np.bool_)
    frozen[_places(code)] = False
    return frozen


def _decode_list(llr: Floats, frozen: Bools, most: int) -> Bits:
    """The likeliest words u [B, L, N] of LLRs [B, N], positive for 0; likeliest first."""
    search = _Search(most, np.zeros((len(llr), 1), np.float32))
    ends, _ = _node(search, llr[:, None], frozen)
    order = np.argsort(search.penalty, axis=1, kind="stable")
    words = transform(ends.reshape(-1, llr.shape[1])).reshape(ends.shape)  # the transform undoes itself
    return _taken(words, order)


class _Search:
    """The paths of each burst. penalty: [B, L], the sum of |LLR| that each path contradicts."""

    def __init__(self, most: int, penalty: Floats) -> None:
        self.most, self.penalty = most, penalty

    def fork(self, llr: Floats) -> tuple[Bits, Ints]:
        """Continue each path by a codeword of all zeros or all ones, and keep the best paths.

        llr: [B, L, n]. Gives the bit of each path kept, [B, L'], and which path it continues, [B, L'].
        """
        wrong = np.stack([np.maximum(-llr, 0).sum(axis=2), np.maximum(llr, 0).sum(axis=2)], axis=2)
        costs = (self.penalty[:, :, None] + wrong).reshape(len(llr), -1)
        best = np.argsort(costs, axis=1, kind="stable")[:, : self.most]
        self.penalty = np.take_along_axis(costs, best, axis=1)
        return (best & 1).astype(np.uint8), best >> 1


def _node(search: _Search, llr: Floats, frozen: Bools) -> tuple[Bits, Ints]:
    """Codeword of each path [B, L', n] for LLRs [B, L, n], and which of the given paths it continues [B, L']."""
    n, paths = len(frozen), np.broadcast_to(np.arange(llr.shape[1]), llr.shape[:2])
    if frozen.all():
        search.penalty = search.penalty + np.maximum(-llr, 0).sum(axis=2)
        return np.zeros(llr.shape, np.uint8), paths
    if frozen[:-1].all():
        bits, origins = search.fork(llr)
        return np.repeat(bits[:, :, None], n, axis=2), origins
    upper, lower = llr[:, :, : n // 2], llr[:, :, n // 2 :]
    smaller = np.minimum(np.abs(upper), np.abs(lower))
    left, first = _node(search, np.where((upper < 0) != (lower < 0), -smaller, smaller), frozen[: n // 2])
    upper, lower = _taken(upper, first), _taken(lower, first)
    right, second = _node(search, lower + np.where(left == 1, -upper, upper), frozen[n // 2 :])
    left = _taken(left, second)
    return np.concatenate([left ^ right, right], axis=2), np.take_along_axis(first, second, axis=1)


def _taken(values: npt.NDArray[_Any], paths: Ints) -> npt.NDArray[_Any]:
    """Values [B, L, n] of the paths [B, L']."""
    return values[np.arange(len(values))[:, None], paths]
