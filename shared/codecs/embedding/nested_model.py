"""The model behind `nested`: what embeddings look like, and what is sent for one.

Source: a mixture of probabilistic principal components (Tipping, Bishop, "Mixtures of Probabilistic Principal Component
Analyzers", Neural Computation 11, 1999), one component for each category (or cluster) c:

    e = m_c + B W_c z,   z ~ N(0, I),   few axes, strongest first

Code: the number c as a word of a spherical code, superposed with the coordinates z as they are,

    latent_i = s word_i(c) + gain_i z_axis(i),   i = 0 .. 255,   axis(i): place of i within its segment

Segments [0, 8), [8, 16), [16, 32), [32, 64), [64, 128), [128, 256) have unit mean power each, so every prefix of
segments is a burst of its own. The scale s of the word fills what the coordinates leave of the segment's power. Words
and gains depend on the operating point, the SNR that the sender believes in: little SNR, little gain.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import torch
from torch import Tensor, nn

from shared.codecs.embedding.gain_error import GainError, gain_error, turned
from shared.types import Floats

LENGTHS: Final = (8, 16, 32, 64, 128, 256)
SEGMENTS: Final = tuple(zip((0, *LENGTHS), LENGTHS, strict=False))
MOST_REFINEMENT: Final = 0.95
"""Largest share of a segment's power that the coordinates of one burst may take: the word needs the rest."""

LEAST_NOISE: Final = 1e-3
"""Of a received dimension. With less, float32 would lose the differences of likelihoods."""

_ABOVE_DB, _BELOW_DB = 0.8, 3.0
_LIKELY = 4  # categories whose coordinates are estimated; the others add their prototype alone


class NestedModel(nn.Module):
    """Parameters of source and code; C categories, D values of an embedding, m common axes, n axes of a category.

    weight: [C, D], bias: [C], logits of an embedding's category. prototypes: [C, D], m_c. basis: [D, m], B,
    orthonormal. axes: [C, m, n], W_c, orthogonal columns as long as their coordinate's standard deviation.
    points_db: [T], dB, the operating points; words: [T, C, 256] and gains: [T, 256] for each.
    """

    weight: Tensor
    bias: Tensor
    prototypes: Tensor
    basis: Tensor
    axes: Tensor
    points_db: Tensor
    words: Tensor
    gains: Tensor
    place: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        for name in ("weight", "bias", "prototypes", "basis", "axes", "points_db", "words", "gains"):
            self.register_buffer(name, tensors[name].float())
        self.register_buffer("place", pilot_pattern(self.axes.shape[2]), persistent=False)
        self._prefixes: dict[int, Prefix] = {}

    def arrays(self) -> dict[str, Floats]:
        """The parameters by name."""
        return {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}

    def log_categories(self, embeddings: Tensor) -> Tensor:
        """Log-probability of each category: [B, D] to [B, C]."""
        return (embeddings @ self.weight.T + self.bias).log_softmax(dim=1)

    def coordinates(self, embeddings: Tensor, categories: Tensor) -> Tensor:
        """Coordinates z of embeddings [B, D] in their categories [B]: [B, n]."""
        axes = self.axes[categories]
        rest = (embeddings - self.prototypes[categories]) @ self.basis
        return torch.einsum("bm,bmn->bn", rest, axes) / axes.square().sum(dim=1).clamp(min=1e-12)

    def encode(self, embeddings: Tensor, points: Tensor) -> Tensor:
        """Latent [B, 256] of embeddings [B, D] at operating points [B], positions in `points_db`."""
        categories = self.log_categories(embeddings).argmax(dim=1)
        z = self.coordinates(embeddings, categories)
        return superpose(self.words[points, categories], self.gains[points] * (z @ self.place.T))

    def decode(self, y: Tensor, noise: Tensor, log_prior: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate embeddings [B, D], and log-probabilities of the categories [B, C].

        y: [B, k], received latent. noise: [B, 1] or [B, k], noise power of each real dimension where a sent one has
        power 1; NaN, for all or for none, where it is not known. log_prior: [C]. The sender's operating point is not
        told: see `hypotheses`.
        """
        noises, log_prior_of_point = hypotheses(noise, self.points_db)
        code = self.prefix(y.shape[1])
        found = log_likelihood(y.repeat(len(noises), 1), noises.flatten(0, 1), code)  # [T, N B, C]
        gains = [] if noise.isnan().any() else gain_errors(y, noises[0], code)
        for _, gain in gains:  # who learned the noise from pilots learned the gain from them
            found = found + gain.log_ratio
        joint = found.reshape(len(found), *noises.shape[:2], -1) + log_prior_of_point[..., None] + log_prior
        log_posterior = joint.logsumexp(dim=(0, 1)).log_softmax(dim=1)
        best = joint.flatten(0, 1).argmax(dim=0)
        points, supposed = best // len(noises), best % len(noises)
        return self._expected_embeddings(y, noises, (supposed, points), log_posterior.exp(), gains), log_posterior

    def prefix(self, k: int) -> "Prefix":
        """The code of the first k dimensions at all operating points; made once, and kept."""
        if k not in self._prefixes:
            self._prefixes[k] = Prefix.of(self.words, self.gains[..., None] * self.place, k)
        return self._prefixes[k]

    def _expected_embeddings(
        self,
        y: Tensor,
        noises: Tensor,
        likeliest: tuple[Tensor, Tensor],
        posterior: Tensor,
        gains: Sequence[tuple[slice, GainError]],
    ) -> Tensor:
        """Sum over c of p(c | y) E[e | y, c]: [B, D].

        noises: [N, B, 1] or [N, B, k]. likeliest: [B, C] each, which of them, and which operating point, are the
        likeliest for each category. gains: what the words tell of the gain, burst by burst.
        """
        supposed, points = likeliest
        embeddings = posterior @ self.prototypes
        shares, likely = posterior.topk(min(_LIKELY, len(self.bias)), dim=1)
        rows = torch.arange(len(y), device=y.device)
        for share, category in zip(shares.T, likely.T, strict=True):
            noise, point = noises[supposed[rows, category], rows], points[rows, category]
            word = self.words[point, category, : y.shape[1]]
            for part, gain in gains:
                along, across = (each[point, rows, category][:, None] for each in (gain.along, gain.across))
                word[:, part] += along * word[:, part] + across * turned(word[:, part])
            z = expected_coordinates(y, noise, word, self.gains[point], self.place)
            embeddings += share[:, None] * torch.einsum("bn,bmn->bm", z, self.axes[category]) @ self.basis.T
        return embeddings


class Prefix(NamedTuple):
    """The first k dimensions of a code, or of T codes, and what of a likelihood is the same for all bursts.

    words: [..., C, k]. carried: [..., k, n], G, the gain of each dimension in the column of its coordinate.
    through: [..., C, n], words G. energy: [..., 1, C], |word|^2. strength: [..., 1, n], diagonal of G'G.
    squares: [..., C, k], of words. powers: [..., 1, k], diagonal of G G'.
    """

    words: Tensor
    carried: Tensor
    through: Tensor
    energy: Tensor
    strength: Tensor
    squares: Tensor
    powers: Tensor

    @classmethod
    def of(cls, words: Tensor, carried: Tensor, k: int) -> Self:
        """Of words [..., C, 256] and gains [..., 256, n]."""
        words, carried = words[..., :k], carried[..., :k, :]
        squares, powers = words.square(), carried.square()
        return cls(
            words,
            carried,
            words @ carried,
            squares.sum(dim=-1).unsqueeze(-2),
            powers.sum(dim=-2, keepdim=True),
            squares,
            powers.sum(dim=-1).unsqueeze(-2),
        )


def hypotheses(noise: Tensor, points_db: Tensor) -> tuple[Tensor, Tensor]:
    """What a receiver holds for possible: noises [N, B, 1] or [N, B, k], and the log-prior of each with each of the T
    operating points where the sender may be: [T, N, B], up to a constant.

    Noise that is known, [B, 1] or [B, k], is the only one. Noise that is not, NaN, may be that of any SNR of the list.
    The distance of a sender's belief from the receiver's SNR is taken to be exponential on both sides. A careful sender
    stays below what most bursts get, so it is seldom above.
    """
    if noise.isnan().any():
        noises = (10 ** (-points_db / 10))[:, None, None].expand(-1, len(noise), 1)
    else:
        noises = noise.clamp(min=LEAST_NOISE)[None]
    snr_db = 10 * (1 / noises).mean(dim=2).log10()
    above_db = points_db[:, None, None] - snr_db
    return noises, -torch.where(above_db > 0, above_db / _ABOVE_DB, -above_db / _BELOW_DB)


def pilot_pattern(axes: int) -> Tensor:
    """Which of `axes` coordinates each dimension carries: [256, axes], one 1 in each row."""
    axis = torch.cat([torch.arange(stop - start) % axes for start, stop in SEGMENTS])
    return nn.functional.one_hot(axis, axes).float()


def superpose(words: Tensor, refinement: Tensor) -> Tensor:
    """Sum of words and refinement, both [B, 256], with mean power 1 in each segment of each row.

    The refinement stays as it is, so that the receiver knows its scale; the word is scaled to fill the segment:
    |s w + v|^2 = d  <=>  s = (-w.v + sqrt((w.v)^2 + |w|^2 (d - |v|^2))) / |w|^2 over a segment of d dimensions.
    """
    filled = []
    for start, stop in SEGMENTS:
        size, w, v = stop - start, words[:, start:stop], refinement[:, start:stop]
        v = v * (MOST_REFINEMENT * size / v.square().sum(dim=1, keepdim=True).clamp(min=1e-9)).clamp(max=1).sqrt()
        energy, along = w.square().sum(dim=1, keepdim=True), (w * v).sum(dim=1, keepdim=True)
        left = size - v.square().sum(dim=1, keepdim=True)
        filled.append(((along.square() + energy * left).sqrt() - along) / energy * w + v)
    return torch.cat(filled, dim=1)


def gain_errors(y: Tensor, noise: Tensor, code: Prefix) -> list[tuple[slice, GainError]]:
    """What the words tell of the gain of each burst, and which dimensions the burst holds.

    noise: [B, 1], of one burst, or [B, k]. Of a code that came in rounds each segment is taken for a burst: a round is
    one or more of them. Where noise differs within a segment, the gain was followed from symbol to symbol: no one error
    is common to all, and the list is empty.
    """
    k = y.shape[1]
    if noise.shape[1] == 1:
        parts = [slice(0, k)]
    elif _is_constant_in_segments(noise):
        parts = [slice(start, stop) for start, stop in SEGMENTS if stop <= k]
    else:
        parts = []
    return [
        (
            part,
            gain_error(
                y[:, part],
                noise[:, :1] if noise.shape[1] == 1 else noise[:, part],
                code.words[..., part],
                code.squares[..., part],
                code.powers[..., part],
            ),
        )
        for part in parts
    ]


def log_likelihood(y: Tensor, noise: Tensor, code: Prefix) -> Tensor:
    """Log-likelihood of each category, z averaged out, but for the constant k/2 log 2 pi: [..., B, C].

    y: [B, k]. noise: [B, 1] or [B, k], variance of each dimension. Given c, y is Gaussian with mean word(c) and
    covariance G G' + diag(noise). With P = I + G' diag(1/noise) G, the precision of z, which is diagonal because each
    dimension carries one coordinate, and d = y - word(c),

        -2 log p = d' diag(1/noise) d - (G' d/noise)' P^-1 (G' d/noise) + log det P + log det diag(noise) + k log 2 pi
    """
    certainty = 1 / noise
    uniform = certainty.shape[1] == 1  # the same for the whole burst: all of it is products of matrices
    precision = 1 + (certainty * code.strength if uniform else certainty @ code.carried.square())
    matched = (certainty * y) @ code.carried
    share = matched / precision
    if uniform:
        cross = certainty * (share @ code.through.mT)
        square = certainty.square() * ((1 / precision) @ code.through.square().mT)
    else:
        each = _weighed_through(certainty, code)
        cross = torch.einsum("...bn,...bcn->...bc", share, each)
        square = torch.einsum("...bn,...bcn->...bc", 1 / precision, each.square())
    explained = (matched * share).sum(dim=-1, keepdim=True) - 2 * cross + square
    volume = precision.log().sum(dim=-1, keepdim=True) + noise.log().expand_as(y).sum(dim=1, keepdim=True)
    return -0.5 * (_squared_distance(y, certainty, code) - explained + volume)


def expected_coordinates(y: Tensor, noise: Tensor, words: Tensor, gains: Tensor, place: Tensor) -> Tensor:
    """E[z | y, c] = P^-1 G' d/noise, see `log_likelihood`: [B, n].

    y: [B, k]. noise: [B, 1] or [B, k]. words, gains: [B, 256] of each burst. place: [256, n], from `pilot_pattern`.
    """
    k = y.shape[1]
    gains, place, certainty = gains[:, :k], place[:k], 1 / noise
    precision = 1 + (certainty * gains.square()) @ place
    return ((certainty * gains * (y - words[:, :k])) @ place) / precision


def _weighed_through(certainty: Tensor, code: Prefix) -> Tensor:
    """Words diag(certainty) G: [..., B, C, n]. certainty: [B, k]."""
    if _is_constant_in_segments(certainty):  # rounds, one gain each: 3 to 14 times faster
        segments = [(start, stop) for start, stop in SEGMENTS if stop <= certainty.shape[1]]
        steps = torch.stack([certainty[:, start] for start, _ in segments], dim=1)
        parts = [code.words[..., start:stop] @ code.carried[..., start:stop, :] for start, stop in segments]
        return torch.einsum("bs,s...cn->...bcn", steps, torch.stack(parts))
    return torch.einsum("bk,...ck,...kn->...bcn", certainty, code.words, code.carried)


def _squared_distance(y: Tensor, certainty: Tensor, code: Prefix) -> Tensor:
    """Sum over dimensions of certainty (y - word)^2: [..., B, C]."""
    itself = (certainty * y.square()).sum(dim=1, keepdim=True)
    words = certainty * code.energy if certainty.shape[1] == 1 else certainty @ code.squares.mT
    return itself - 2 * (certainty * y) @ code.words.mT + words


def _is_constant_in_segments(values: Tensor) -> bool:
    """Whether values [B, k] are the same throughout each segment."""
    parts = [values[:, start:stop] for start, stop in SEGMENTS if stop <= values.shape[1]]
    return all(torch.equal(part[:, :1].expand_as(part), part) for part in parts)
