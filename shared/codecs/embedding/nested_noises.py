"""`nested` in numpy for noise that is unknown or varies within a burst: what `NestedModel.decode` does, without torch.

On a processor it takes 0.1 to 0.8 of the time of torch; `nested_arrays` is faster on what that can decode.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from shared.codecs.base.contract import log_softmax
from shared.codecs.embedding.nested_arrays import NestedArrays
from shared.codecs.embedding.nested_shape import ABOVE_DB, BELOW_DB, LEAST_NOISE, LIKELY, PILOTS, SEGMENTS
from shared.types import Embeddings, Floats, Ints


class _Gain(NamedTuple):
    """Of the dimensions `part`; see `gain_error`. [T, B, C] each."""

    part: slice
    log_ratio: Floats
    along: Floats
    across: Floats


class _Found(NamedTuple):
    """Bursts, their noises, and the likeliest point and noise of each category, [B, C] each."""

    y: Floats
    noises: Floats
    at: tuple[Ints, Ints]
    gains: Sequence[_Gain]


def decode_any_noise(code: NestedArrays, y: Floats, noise: Floats, log_prior: Floats) -> tuple[Embeddings, Floats]:
    """Embeddings [B, D] and log-probabilities of the categories [B, C].

    y: [B, k]. noise: [B, 1] or [B, k], NaN in the bursts where it is not known. log_prior: [C].
    """
    embeddings = np.empty((len(y), code.prototypes.shape[1]), np.float32)
    log_posterior = np.empty((len(y), len(log_prior)), np.float32)
    unknown = np.isnan(noise).any(axis=1)
    for rows in (~unknown, unknown):
        if rows.any():
            embeddings[rows], log_posterior[rows] = _decode(code, y[rows], noise[rows], log_prior)
    return embeddings, log_posterior


def _decode(code: NestedArrays, y: Floats, noise: Floats, log_prior: Floats) -> tuple[Embeddings, Floats]:
    noises, prior = _hypotheses(code, noise)
    joint = np.stack([_log_likelihood(code, y, one) for one in noises], axis=1)  # [T, N, B, C]
    gains = [] if np.isnan(noise).any() else _gains(code, y, noises[0])
    for gain in gains:
        joint[:, 0] += gain.log_ratio
    joint += prior[..., None] + log_prior
    flat = joint.reshape(-1, *joint.shape[2:])
    best = flat.max(axis=0)
    log_posterior = log_softmax(best + np.log(np.exp(flat - best).sum(axis=0)))
    likeliest = flat.argmax(axis=0)
    at = likeliest // len(noises), likeliest % len(noises)
    return _expected(code, _Found(y, noises, at, gains), np.exp(log_posterior)), log_posterior


def _hypotheses(code: NestedArrays, noise: Floats) -> tuple[Floats, Floats]:
    """See `nested_model.hypotheses`."""
    points = code.points_db
    if np.isnan(noise).any():
        noises = np.broadcast_to((10 ** (-points / 10))[:, None, None], (len(points), len(noise), 1))
    else:
        noises = np.maximum(noise, LEAST_NOISE)[None]
    above_db = points[:, None, None] - 10 * np.log10((1 / noises).mean(axis=2))
    prior = -np.where(above_db > 0, above_db / ABOVE_DB, -above_db / BELOW_DB)
    return noises.astype(np.float32), prior.astype(np.float32)


def _log_likelihood(code: NestedArrays, y: Floats, noise: Floats) -> Floats:
    """See `nested_model.log_likelihood`: [T, B, C]."""
    terms, inverse = code.terms, 1 / noise
    matched = (inverse * y) @ terms["carried"]
    if noise.shape[1] == 1:
        precision = 1 + inverse * terms["strength"]
        share = matched / precision
        cross = inverse * (share @ terms["through"])
        square = inverse * inverse * ((1 / precision) @ terms["through_squares"])
        energy = inverse * terms["energy"]
    else:
        precision = 1 + inverse @ np.square(terms["carried"])
        share = matched / precision
        pairs = [_through(terms, one, share[:, row], precision[:, row]) for row, one in enumerate(inverse)]
        cross, square = (np.stack(column, axis=1) for column in zip(*pairs, strict=True))
        energy = inverse @ terms["squares"]
    explained = (matched * share).sum(axis=-1, keepdims=True) - 2 * cross + square
    volume = np.log(precision).sum(axis=-1, keepdims=True)
    volume = volume + np.broadcast_to(np.log(noise), y.shape).sum(axis=1, keepdims=True)
    distance = (inverse * y * y).sum(axis=1, keepdims=True) - 2 * (inverse * y) @ terms["words"] + energy
    found: Floats = -0.5 * (distance - explained + volume)
    return found


def _through(terms: dict[str, Floats], inverse: Any, share: Any, precision: Any) -> tuple[Any, Any]:
    """Cross term and square of one burst, [T, C] each. inverse: [k]. share, precision: [T, n]."""
    each = (terms["carried"] * inverse[:, None]).swapaxes(1, 2) @ terms["words"]
    return (share[:, None] @ each)[:, 0], ((1 / precision)[:, None] @ np.square(each))[:, 0]


def _gains(code: NestedArrays, y: Floats, noise: Floats) -> list[_Gain]:
    """See `nested_model.gain_errors`."""
    parts = [slice(0, y.shape[1])]
    if noise.shape[1] > 1:
        parts = [slice(start, stop) for start, stop in SEGMENTS if stop <= y.shape[1]]
        if any((noise[:, part] != noise[:, part][:, :1]).any() for part in parts):
            return []
    return [_gain(code.terms, y, noise[:, part] if noise.shape[1] > 1 else noise, part) for part in parts]


def _gain(terms: dict[str, Floats], y: Floats, noise: Floats, part: slice) -> _Gain:
    inverse = 1 / (noise + terms["powers"][..., part])
    inverse = np.repeat((inverse[..., 0::2] + inverse[..., 1::2]) / 2, 2, axis=-1)
    weighted, words = inverse * y[:, part], terms["words"][:, part]
    energy = inverse @ terms["squares"][:, part]
    along, across = weighted @ words - energy, _turned(weighted, -1) @ words
    variance = noise.mean(axis=1, keepdims=True) / (2 * PILOTS)
    known = 1 + variance * energy
    ratio = variance * (along * along + across * across) / (2 * known) - np.log(known)
    return _Gain(part, ratio, variance * along / known, variance * across / known)


def _turned(x: Any, sign: int = 1) -> Floats:
    turned: Floats = np.empty_like(x)
    turned[..., 0::2], turned[..., 1::2] = -sign * x[..., 1::2], sign * x[..., 0::2]
    return turned


def _expected(code: NestedArrays, found: _Found, posterior: Floats) -> Embeddings:
    """Sum over c of p(c | y) E[e | y, c]: [B, D]."""
    y, noises, at, gains = found
    embeddings: Embeddings = posterior @ code.prototypes
    rows = np.arange(len(y))
    for category in np.argsort(-posterior, axis=1)[:, :LIKELY].T:
        point, supposed = (each[rows, category] for each in at)
        word = code.words[point, category]
        for gain in gains:
            along, across = (each[point, rows, category][:, None] for each in (gain.along, gain.across))
            word[:, gain.part] += along * word[:, gain.part] + across * _turned(word[:, gain.part])
        share = posterior[rows, category][:, None]
        embeddings += share * code.refinements(y, 1 / noises[supposed, rows], word, (point, category))
    return embeddings.astype(np.float32)
