"""The model of `nested`: the source of embeddings, and the code.

Source: a mixture of probabilistic principal components (Tipping, Bishop, "Mixtures of Probabilistic Principal Component
Analyzers", Neural Computation 11, 1999), one component for each category (or cluster) c:

    e = m_c + B W_c z,   z ~ N(0, I),   few axes, strongest first

Code: the number c as a codeword of a spherical code, superposed with the coordinates z as they are,

    latent_i = s codeword_i(c) + gain_i z_axis(i),   i = 0 .. 255,   axis(i): place of i within its segment

Segments [0, 8), [8, 16), [16, 32), [32, 64), [64, 128), [128, 256) have unit mean power each, so every prefix of
segments is a burst of its own. The scale s of the codeword fills the power that the coordinates leave in the segment.
Codewords and gains depend on the design SNR: the lower it is, the smaller the gains.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from shared.codecs.embedding.gain_error import GainError, gain_error, turned
from shared.codecs.embedding.nested_shape import (
    ABOVE_DB,
    BELOW_DB,
    LEAST_NOISE,
    LIKELY,
    MOST_REFINEMENT,
    SEGMENTS,
    axis_pattern,
)
from shared.units import n0_from_snr_db


class NestedModel(nn.Module):
    """Parameters of source and code; C categories, D values of an embedding, m common axes, n axes of a category.

    weight: [C, D], bias: [C], logits of an embedding's category. prototypes: [C, D], m_c. basis: [D, m], B,
    orthonormal. axes: [C, m, n], W_c, orthogonal columns as long as their coordinate's standard deviation; [1, m, n]
    where all categories share them.
    points_db: [T], dB, the design SNRs; words (codewords): [T, C, 256] and gains: [T, 256] for each.
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
        self.register_buffer("place", torch.from_numpy(axis_pattern(self.axes.shape[2])), persistent=False)
        self._prefixes: dict[int, Prefix] = {}

    def log_categories(self, embeddings: Tensor) -> Tensor:
        """Log-probability of each category: [B, D] to [B, C]."""
        return (embeddings @ self.weight.T + self.bias).log_softmax(dim=1)

    def coordinates(self, embeddings: Tensor, categories: Tensor) -> Tensor:
        """Coordinates z of embeddings [B, D] in their categories [B]: [B, n]."""
        return coordinates_of((embeddings - self.prototypes[categories]) @ self.basis, self.axes, categories)

    def encode(self, embeddings: Tensor, points: Tensor) -> Tensor:
        """Latent [B, 256] of embeddings [B, D] at design SNRs [B], positions in `points_db`."""
        categories = self.log_categories(embeddings).argmax(dim=1)
        z = self.coordinates(embeddings, categories)
        return superpose(self.words[points, categories], self.gains[points] * (z @ self.place.T))

    def decode(self, y: Tensor, noise: Tensor, log_prior: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate embeddings [B, D], and log-probabilities of the categories [B, C].

        y: [B, k], received latent. noise: [B, 1] or [B, k], noise power of each real dimension where a sent one has
        power 1; NaN, for all or for none, where it is not known. log_prior: [C]. The receiver does not
        know the sender's design SNR: see `hypotheses`.
        """
        noises, log_prior_of_point = hypotheses(noise, self.points_db)
        code = self.prefix(y.shape[1])
        found = log_likelihood(y.repeat(len(noises), 1), noises.flatten(0, 1), code)  # [T, N B, C]
        gains = [] if noise.isnan().any() else gain_errors(y, noises[0], code)
        for _, gain in gains:  # a noise estimate from pilots comes with a gain estimate from them
            found = found + gain.log_ratio
        joint = found.reshape(len(found), *noises.shape[:2], -1) + log_prior_of_point[..., None] + log_prior
        log_posterior = joint.logsumexp(dim=(0, 1)).log_softmax(dim=1)
        best = joint.flatten(0, 1).argmax(dim=0)
        points, supposed = best // len(noises), best % len(noises)
        return self._expected_embeddings(y, noises, (supposed, points), log_posterior.exp(), gains), log_posterior

    def prefix(self, k: int) -> "Prefix":
        """The code of the first k dimensions at all design SNRs, cached."""
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

        noises: [N, B, 1] or [N, B, k]. likeliest: [B, C] each, positions of the likeliest noise and
        design SNR of each category. gains: gain errors estimated from the codewords, burst by burst.
        """
        supposed, points = likeliest
        embeddings = posterior @ self.prototypes
        shares, likely = posterior.topk(min(LIKELY, len(self.bias)), dim=1)
        rows = torch.arange(len(y), device=y.device)
        for share, category in zip(shares.T, likely.T, strict=True):
            noise, point = noises[supposed[rows, category], rows], points[rows, category]
            codeword = self.words[point, category, : y.shape[1]]
            for part, gain in gains:
                along, across = (each[point, rows, category][:, None] for each in (gain.along, gain.across))
                codeword[:, part] += along * codeword[:, part] + across * turned(codeword[:, part])
            z = expected_coordinates(y, noise, codeword, self.gains[point], self.place)
            embeddings += share[:, None] * along_axes(z, self.axes, category) @ self.basis.T
        return embeddings


def coordinates_of(rest: Tensor, axes: Tensor, categories: Tensor) -> Tensor:
    """Coordinates [B, n] of what prototypes leave, [B, m], along the axes of categories [B]. axes: [C or 1, m, n]."""
    lengths = axes.square().sum(dim=1).clamp(min=1e-12)
    if len(axes) == 1:
        return rest @ axes[0] / lengths
    return torch.einsum("bm,bmn->bn", rest, axes[categories]) / lengths[categories]


def along_axes(z: Tensor, axes: Tensor, categories: Tensor) -> Tensor:
    """The reverse: W_c z, [B, m], of coordinates [B, n]."""
    return z @ axes[0].T if len(axes) == 1 else torch.einsum("bn,bmn->bm", z, axes[categories])


class Prefix(NamedTuple):
    """The first k dimensions of a code, or of T codes, and terms of the likelihood that are the same for all bursts.

    codewords: [..., C, k]. carried: [..., k, n], G, the gain of each dimension in the column of its coordinate.
    through: [..., C, n], codewords G. energy: [..., 1, C], |codeword|^2. strength: [..., 1, n], diagonal of G'G.
    squares: [..., C, k], of codewords. powers: [..., 1, k], diagonal of G G'.
    """

    codewords: Tensor
    carried: Tensor
    through: Tensor
    energy: Tensor
    strength: Tensor
    squares: Tensor
    powers: Tensor

    @classmethod
    def of(cls, codewords: Tensor, carried: Tensor, k: int) -> Self:
        """Of codewords [..., C, 256] and gains [..., 256, n]."""
        codewords, carried = codewords[..., :k], carried[..., :k, :]
        squares, powers = codewords.square(), carried.square()
        return cls(
            codewords,
            carried,
            codewords @ carried,
            squares.sum(dim=-1).unsqueeze(-2),
            powers.sum(dim=-2, keepdim=True),
            squares,
            powers.sum(dim=-1).unsqueeze(-2),
        )


def hypotheses(noise: Tensor, points_db: Tensor) -> tuple[Tensor, Tensor]:
    """Noise hypotheses [N, B, 1] or [N, B, k], and their log-priors with each of the T design SNRs: [T, N, B], up to a
    constant.

    Known noise, [B, 1] or [B, k], is the only hypothesis. For unknown noise, NaN, each SNR of the list is one.
    The difference between design SNR and received SNR has an exponential prior on both sides; it is narrower above,
    since a design SNR is usually below the SNR of most bursts.
    """
    if noise.isnan().any():
        noises = n0_from_snr_db(points_db)[:, None, None].expand(-1, len(noise), 1)
    else:
        noises = noise.clamp(min=LEAST_NOISE)[None]
    snr_db = 10 * (1 / noises).mean(dim=2).log10()
    above_db = points_db[:, None, None] - snr_db
    return noises, -torch.where(above_db > 0, above_db / ABOVE_DB, -above_db / BELOW_DB)


def superpose(codewords: Tensor, refinement: Tensor) -> Tensor:
    """Sum of codewords and refinement, both [B, 256], with mean power 1 in each segment of each row.

    The refinement stays as it is, so that the receiver knows its scale; the codeword is scaled to fill the segment:
    |s w + v|^2 = d  <=>  s = (-w.v + sqrt((w.v)^2 + |w|^2 (d - |v|^2))) / |w|^2 over a segment of d dimensions.
    """
    filled = []
    for start, stop in SEGMENTS:
        size, w, v = stop - start, codewords[:, start:stop], refinement[:, start:stop]
        v = v * (MOST_REFINEMENT * size / v.square().sum(dim=1, keepdim=True).clamp(min=1e-9)).clamp(max=1).sqrt()
        energy, along = w.square().sum(dim=1, keepdim=True), (w * v).sum(dim=1, keepdim=True)
        left = size - v.square().sum(dim=1, keepdim=True)
        filled.append(((along.square() + energy * left).sqrt() - along) / energy * w + v)
    return torch.cat(filled, dim=1)


def gain_errors(y: Tensor, noise: Tensor, code: Prefix) -> list[tuple[slice, GainError]]:
    """Gain errors estimated from the codewords, and the dimensions of the burst of each.

    noise: [B, 1], of one burst, or [B, k]. For a code sent in HARQ rounds each segment counts as a burst: a round is
    one or more of them. If noise differs within a segment, the gain was tracked from symbol to symbol: there is no
    common error, and the list is empty.
    """
    if noise.shape[1] == 1:
        parts = [slice(0, y.shape[1])]
    else:
        parts = _segments(y.shape[1]) if _is_constant_in_segments(noise) else []
    of_code = (code.codewords, code.squares, code.powers)
    return [(part, gain_error(y[:, part], noise[:, part], *(each[..., part] for each in of_code))) for part in parts]


def log_likelihood(y: Tensor, noise: Tensor, code: Prefix) -> Tensor:
    """Log-likelihood of each category, z averaged out, but for the constant k/2 log 2 pi: [..., B, C].

    y: [B, k]. noise: [B, 1] or [B, k], variance of each dimension. Given c, y is Gaussian with mean codeword(c) and
    covariance G G' + diag(noise). With P = I + G' diag(1/noise) G, the precision of z, which is diagonal because each
    dimension carries one coordinate, and d = y - codeword(c),

        -2 log p = d' diag(1/noise) d - (G' d/noise)' P^-1 (G' d/noise) + log det P + log det diag(noise) + k log 2 pi
    """
    inverse_noise = 1 / noise
    uniform = inverse_noise.shape[1] == 1  # the same for the whole burst: matrix products suffice
    precision = 1 + (inverse_noise * code.strength if uniform else inverse_noise @ code.carried.square())
    matched = (inverse_noise * y) @ code.carried
    share = matched / precision
    if uniform:
        cross = inverse_noise * (share @ code.through.mT)
        square = inverse_noise.square() * ((1 / precision) @ code.through.square().mT)
    else:
        each = _weighed_through(inverse_noise, code)
        cross = torch.einsum("...bn,...bcn->...bc", share, each)
        square = torch.einsum("...bn,...bcn->...bc", 1 / precision, each.square())
    explained = (matched * share).sum(dim=-1, keepdim=True) - 2 * cross + square
    volume = precision.log().sum(dim=-1, keepdim=True) + noise.log().expand_as(y).sum(dim=1, keepdim=True)
    return -0.5 * (_squared_distance(y, inverse_noise, code) - explained + volume)


def expected_coordinates(y: Tensor, noise: Tensor, codewords: Tensor, gains: Tensor, place: Tensor) -> Tensor:
    """E[z | y, c] = P^-1 G' d/noise, see `log_likelihood`: [B, n].

    y: [B, k]. noise: [B, 1] or [B, k]. codewords, gains: [B, 256] of each burst. place: [256, n], from `axis_pattern`.
    """
    k = y.shape[1]
    gains, place, inverse_noise = gains[:, :k], place[:k], 1 / noise
    precision = 1 + (inverse_noise * gains.square()) @ place
    return ((inverse_noise * gains * (y - codewords[:, :k])) @ place) / precision


def _weighed_through(inverse_noise: Tensor, code: Prefix) -> Tensor:
    """Codewords diag(inverse_noise) G: [..., B, C, n]. inverse_noise: [B, k]."""
    if _is_constant_in_segments(inverse_noise):  # rounds, one gain each: 3 to 14 times faster
        segments = _segments(inverse_noise.shape[1])
        steps = torch.stack([inverse_noise[:, segment.start] for segment in segments], dim=1)
        parts = [code.codewords[..., segment] @ code.carried[..., segment, :] for segment in segments]
        return torch.einsum("bs,s...cn->...bcn", steps, torch.stack(parts))
    return torch.einsum("bk,...ck,...kn->...bcn", inverse_noise, code.codewords, code.carried)


def _squared_distance(y: Tensor, inverse_noise: Tensor, code: Prefix) -> Tensor:
    """Sum over dimensions of inverse_noise (y - codeword)^2: [..., B, C]."""
    itself = (inverse_noise * y.square()).sum(dim=1, keepdim=True)
    codewords = inverse_noise * code.energy if inverse_noise.shape[1] == 1 else inverse_noise @ code.squares.mT
    return itself - 2 * (inverse_noise * y) @ code.codewords.mT + codewords


def _is_constant_in_segments(values: Tensor) -> bool:
    """Whether values [B, k] are the same throughout each segment."""
    parts = [values[:, segment] for segment in _segments(values.shape[1])]
    return all(torch.equal(part[:, :1].expand_as(part), part) for part in parts)


def _segments(k: int) -> list[slice]:
    """Segments of a code of k dimensions."""
    return [slice(start, stop) for start, stop in SEGMENTS if stop <= k]
