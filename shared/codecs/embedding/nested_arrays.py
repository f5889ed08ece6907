"""`nested` in numpy, for bursts of one known noise power each, as nearly all are: the same formulas as `nested_model`.

A call of torch takes microseconds, and a burst needs hundreds of them, each of little arithmetic. Here what depends on
the code alone is prepared once, all segments and all likely categories are computed together, and products of one
matrix are one product. `tests/shared/codecs/test_nested.py` holds the results against the model's.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Final

import numpy as np

from shared.codecs.base.contract import log_softmax
from shared.codecs.embedding.nested_shape import (
    ABOVE_DB,
    BELOW_DB,
    LEAST_NOISE,
    LIKELY,
    MOST_REFINEMENT,
    PILOTS,
    SEGMENTS,
    axis_pattern,
)
from shared.types import Embeddings, Floats, Ints

_LEAST_SHARE: Final = 1e-6
"""Categories less probable than this add their prototype alone: their coordinates would change no embedding by more."""
_NOTHING: Final = np.float32(-60)


class NestedArrays:
    """Encoder and decoder of the first k dimensions. arrays: the parameters of `NestedModel`, by name."""

    def __init__(self, arrays: Mapping[str, Floats], k: int) -> None:
        self._weight, self._bias = arrays["weight"].T, arrays["bias"]
        self.prototypes, self._basis, axes = (arrays[name] for name in ("prototypes", "basis", "axes"))
        self.points_db, self.words, self._gains = (arrays[name] for name in ("points_db", "words", "gains"))
        self.words, self._gains = self.words[..., :k], self._gains[:, :k]
        self._axis = axis_pattern(axes.shape[2])[:k].argmax(axis=1)
        used = int(self._axis.max()) + 1  # no dimension of so short a code carries the others
        self._axes, self._place = np.ascontiguousarray(axes[..., :used]), axis_pattern(axes.shape[2])[:k, :used]
        segments = [(start, stop) for start, stop in SEGMENTS if stop <= k]
        self._starts = np.array([start for start, _ in segments])
        self._sizes = np.array([stop - start for start, stop in segments], np.float32)
        self._segment = np.repeat(np.arange(len(segments)), self._sizes.astype(int))
        self._k = np.float32(k)

    @cached_property
    def _encoding(self) -> tuple[Floats, Floats, Floats]:
        """Prototypes on the basis [C, m], squared lengths of axes [C or 1, n], energy of words by segment [T, C, s]."""
        lengths = np.maximum(np.square(self._axes).sum(axis=1), 1e-12)
        return self.prototypes @ self._basis, lengths, self._by_segment(np.square(self.words))

    @cached_property
    def terms(self) -> dict[str, Floats]:
        """Terms of the likelihood that are the same for all bursts; see `nested_model.Prefix`. Categories come last.

        linear: those of which `_log_likelihood` makes one product; the first of them are views of it.
        pair_squares: squares of words, summed over the two parts of each symbol.
        """
        carried = self._gains[..., None] * self._place
        through, squares = self.words @ carried, np.square(self.words)
        energy = squares.sum(axis=2)[:, None]
        rows = [_last(self.words), _last(through), _last(np.square(through)), energy, np.ones_like(energy)]
        ends = np.cumsum([part.shape[1] for part in rows])
        linear = np.concatenate(rows, axis=1)
        words, through, through_squares = np.split(linear, ends[:3], axis=1)[:3]
        return {
            "linear": linear,
            "words": words,
            "through": through,
            "through_squares": through_squares,
            "squares": _last(squares),
            "pair_squares": _last(squares[..., 0::2] + squares[..., 1::2]),
            "carried": carried,
            "energy": energy,
            "strength": np.square(carried).sum(axis=1)[:, None],
            "powers": np.square(self._gains)[:, None],
        }

    def categories(self, embeddings: Embeddings) -> Floats:
        """Logits of each category: [B, C]."""
        logits: Floats = embeddings @ self._weight + self._bias
        return logits

    def log_categories(self, embeddings: Embeddings) -> Floats:
        """Log-probability of each category: [B, C]."""
        return log_softmax(self.categories(embeddings))

    def encode(self, embeddings: Embeddings, points: Ints) -> Floats:
        """Latent [B, k] of embeddings [B, D] at design SNRs [B], positions in `points_db`; see `superpose`."""
        prototypes, lengths, energies = self._encoding
        categories = self.categories(embeddings).argmax(axis=1)
        rest, of = embeddings @ self._basis - prototypes[categories], 0 if len(self._axes) == 1 else categories
        z = np.matmul(rest[:, None], self._axes[of])[:, 0] / lengths[of]
        w, v = self.words[points, categories], self._gains[points] * z[:, self._axis]
        power, room = self._by_segment(v * v), np.float32(MOST_REFINEMENT) * self._sizes
        shrink = np.sqrt(np.minimum(room / np.maximum(power, np.float32(1e-9)), 1))
        v *= shrink[:, self._segment]
        energy, along = energies[points, categories], self._by_segment(w * v)
        left = self._sizes - self._by_segment(v * v)
        scale = (np.sqrt(along * along + energy * left) - along) / energy
        latent: Floats = scale[:, self._segment] * w + v
        return latent

    def decode(self, y: Floats, noise: Floats, log_prior: Floats) -> tuple[Floats, Floats]:
        """Embeddings [B, D] and log-probabilities of the categories [B, C]; see `NestedModel.decode`.

        y: [B, k]. noise: [B, 1], known. log_prior: [C].
        """
        noise = np.maximum(noise, np.float32(LEAST_NOISE))
        inverse: Floats = np.float32(1) / noise
        precision: Floats = np.float32(1) + inverse * self.terms["strength"]
        joint = self._log_likelihood(y, inverse, precision)
        along, across, known = self._matched(y, noise)
        joint += (along * along + across * across) / known
        joint -= np.log(known)
        best = joint.max(axis=0)
        found = best + np.log(_exp(joint - best).sum(axis=0)) + log_prior
        found -= found.max(axis=1, keepdims=True)
        posterior = _exp(found)
        total = posterior.sum(axis=1, keepdims=True)
        posterior /= total
        rows, likely = self._likely(posterior)
        point = joint[:, rows, likely].argmax(axis=0)
        at = (point, rows, likely)
        gain = np.sqrt(noise[rows, 0] / np.float32(PILOTS)) / known[at]
        turns = (gain * along[at])[:, None], (gain * across[at])[:, None]
        embeddings = posterior @ self.prototypes
        rest = self._refinements(y[rows], inverse[rows], precision[point, rows], (point, likely), turns)
        rest *= posterior[rows, likely][:, None]
        embeddings += np.add.reduceat(rest, np.flatnonzero(np.diff(rows, prepend=-1)), axis=0) @ self._basis.T
        return embeddings, found - np.log(total)

    def _matched(self, y: Floats, noise: Floats) -> tuple[Floats, Floats, Floats]:
        """See `gain_error`; s: variance of the pilots' error. u, along and across, times sqrt(s/2), and 1 + s e.

        [T, B, C] each.
        """
        code, count = self.terms, len(y)
        inverses: Floats = np.float32(1) / (noise + code["powers"])
        of_symbols: Floats = (inverses[..., 0::2] + inverses[..., 1::2]) / np.float32(2)
        variance: Floats = noise / np.float32(2 * PILOTS)
        root = np.sqrt(variance / np.float32(2))
        weighed = np.empty((len(inverses), 2 * count, y.shape[1]), np.float32)
        np.multiply(of_symbols, root * y[:, 0::2], out=weighed[:, :count, 0::2])
        np.multiply(of_symbols, root * y[:, 1::2], out=weighed[:, :count, 1::2])
        weighed[:, count:, 0::2], weighed[:, count:, 1::2] = weighed[:, :count, 1::2], -weighed[:, :count, 0::2]
        products = weighed @ code["words"]
        energy: Floats = np.multiply(variance, of_symbols) @ code["pair_squares"]
        along = products[:, :count]
        along -= energy * (root / variance)
        energy += np.float32(1)
        return along, products[:, count:], energy

    def _log_likelihood(self, y: Floats, inverse: Floats, precision: Floats) -> Floats:
        """Of categories and design SNRs, with the prior of the latter: [T, B, C].

        See `nested_model.log_likelihood` and `hypotheses`. It is linear in terms of the code.
        """
        code, half = self.terms, np.float32(-0.5)
        matched = inverse * (y @ code["carried"])
        share = matched / precision
        same = inverse * (y * y).sum(axis=1, keepdims=True) - self._k * np.log(inverse)
        same = same + (np.log(precision) - matched * share).sum(axis=2, keepdims=True)
        of_energy = np.broadcast_to(half * inverse, same.shape)
        of_words = np.broadcast_to(inverse * y, (*same.shape[:2], y.shape[1]))
        factors = [of_words, -inverse * share, -half * inverse * inverse / precision, of_energy]
        found: Floats = (
            np.concatenate([*factors, half * same + self._log_prior_of_points(inverse)], axis=2) @ code["linear"]
        )
        return found

    def _log_prior_of_points(self, inverse: Floats) -> Floats:
        """See `nested_model.hypotheses`: [T, B, 1]."""
        above_db = self.points_db[:, None, None] - np.float32(10) * np.log10(inverse)
        found: Floats = -np.where(above_db > 0, above_db / np.float32(ABOVE_DB), -above_db / np.float32(BELOW_DB))
        return found

    def refinements(self, y: Floats, inverse: Floats, word: Floats, which: tuple[Ints, Ints]) -> Floats:
        """What the coordinates add to the prototypes: [B, D]. which: points and categories, [B] each.

        y, word: [B, k]. inverse: [B, 1] or [B, k], of the noise.
        """
        gains = self._gains[which[0]]
        precision = 1 + (inverse * np.square(gains)) @ self._place
        z = ((inverse * gains * (y - word)) @ self._place) / precision
        axes = self._axes[which[1] if len(self._axes) > 1 else np.zeros_like(which[1])]
        found: Floats = np.matmul(axes, z[..., None])[..., 0] @ self._basis.T
        return found

    @staticmethod
    def _likely(posterior: Floats) -> tuple[Ints, Ints]:
        """Bursts and their likely categories, [P] each, in the order of bursts; each has one at least."""
        every, left = np.arange(len(posterior)), posterior.copy()
        likely = np.empty((len(posterior), min(LIKELY, posterior.shape[1])), np.int64)
        for place in range(likely.shape[1]):  # faster than a partition of each row
            likely[:, place] = found = left.argmax(axis=1)
            left[every, found] = -1
        rows, places = np.nonzero(~(posterior[every[:, None], likely] < _LEAST_SHARE))
        return rows, likely[rows, places]

    def _refinements(
        self, y: Floats, inverse: Floats, precision: Floats, which: tuple[Ints, Ints], turns: tuple[Floats, Floats]
    ) -> Floats:
        """What the coordinates add to the prototypes, on the basis: [P, m]. which: points and categories, [P] each.

        y: [P, k]. inverse: [P, 1]. precision: [P, n]. turns: gain errors along and across, [P, 1] each.
        """
        point, category = which
        word = self.words[point, category]
        turned = np.empty_like(word)
        turned[:, 0::2], turned[:, 1::2] = -word[:, 1::2], word[:, 0::2]
        word = word + turns[0] * word + turns[1] * turned
        z = ((inverse * self._gains[point] * (y - word)) @ self._place) / precision
        if len(self._axes) == 1:
            shared: Floats = z @ self._axes[0].T
            return shared
        found: Floats = np.matmul(self._axes[category], z[..., None])[..., 0]
        return found

    def _by_segment(self, values: Floats) -> Floats:
        """Sum over each segment: [..., k] to [..., s]."""
        sums: Floats = np.add.reduceat(values, self._starts, axis=-1)
        return sums


def _exp(logarithms: Floats) -> Floats:
    """exp, and of what is below -60 as of -60, far under the rounding of any sum here: denormal numbers are slow."""
    found: Floats = np.exp(np.maximum(logarithms, _NOTHING))
    return found


def _last(part: Floats) -> Floats:
    """[T, C, x] to [T, x, C], so that a product with it reads memory in order."""
    return np.ascontiguousarray(part.swapaxes(1, 2))
