"""`kbsc`: the network of "Knowledge-Base based Semantic Image Transmission Using CLIP" (arXiv 2504.01053).

    e [512] -> Linear 384 -> ReLU -> Linear k -> BatchNorm -> unit power per burst -> x [k/2]
    x_hat [k/2] -> Linear 384 -> ReLU -> Linear 512 -> BatchNorm -> e_hat [512]

It knows nothing of the SNR. Unlike its authors' code, power is normalized per burst instead of per batch, I and Q of a
symbol come from the same image, and the receiver is not told the transmit scale.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from shared.codecs.base.contract import Codec, Decoded, DesignSnr
from shared.codecs.base.weight_files import fingerprint_of_weights, holding_weights, read_arrays, weights_path
from shared.codecs.embedding.kbsc_shape import DIM, HIDDEN
from shared.types import Complex, Embeddings, Floats

if TYPE_CHECKING:
    from shared.codecs.embedding.kbsc_torch import KbscNetwork

_BATCH_NORM_EPSILON = 1e-5  # as torch has it
_COUNTER = "num_batches_tracked"


class _Half(NamedTuple):
    """Encoder or decoder, its BatchNorm merged into the Linear before it.

    inner: [HIDDEN, inputs]. inner_bias: [HIDDEN]. outer: [outputs, HIDDEN]. outer_bias: [outputs].
    """

    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        hidden: Floats = np.maximum(rows @ self.inner.T + self.inner_bias, 0)
        out: Floats = hidden @ self.outer.T + self.outer_bias
        return out


class Kbsc(Codec):
    """The trained network of one length. network: the same in torch; None but after `in_torch`."""

    name: ClassVar[str] = "kbsc"
    lengths: ClassVar[tuple[int, ...]] = (16, 64, 256)
    default_k: ClassVar[int] = 64
    network: "KbscNetwork | None" = None

    def __init__(self, arrays: Mapping[str, Floats], clip_fingerprint: str | None) -> None:
        """arrays: parameters and statistics, by torch's names."""
        self.k = len(arrays["encoder.3.weight"])
        self.clip_fingerprint = clip_fingerprint
        # The fingerprint is of the arrays as torch holds them, which counts batches as int64.
        counted: dict[str, Any] = {
            name: array.astype(np.int64) if name.endswith(_COUNTER) else array for name, array in arrays.items()
        }
        self.fingerprint = fingerprint_of_weights(counted)
        learned = (array.size for name, array in arrays.items() if name.endswith(("weight", "bias")))
        self.params = sum(learned)  # as published
        self._arrays = arrays
        self._encoder, self._decoder = _half(arrays, "encoder", DIM, self.k), _half(arrays, "decoder", self.k, DIM)

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        """The network that `semlink train kbsc` left."""
        return cls.from_file(weights_path(cls.name, f"k{k}.safetensors"), device)

    @classmethod
    def from_file(cls, path: Path, device: str) -> Self:  # noqa: ARG003 - see below
        """A network from a safetensors file whose metadata holds `k` and `clip_fingerprint`.

        On any device it runs in numpy: it takes less time than the way to a GPU and back.
        """
        arrays, metadata = read_arrays(path, cls.name)
        with holding_weights(path, cls.name):
            codec = cls(arrays, metadata.get("clip_fingerprint"))
            if codec.k != int(metadata["k"]):
                raise ValueError(f"the metadata says k = {metadata['k']}, the arrays k = {codec.k}")
        return codec

    def in_torch(self) -> Self:
        """See `BaseCodec.in_torch`."""
        from shared.codecs.embedding.kbsc_torch import network_of  # noqa: PLC0415 - loads torch

        return self._with(network=network_of(self._arrays))

    def encode(self, embeddings: Embeddings, snr_db: DesignSnr | None = None) -> Complex:  # noqa: ARG002
        """Symbols [B, k/2] of unit-length `embeddings`: [B, 512]."""
        if self.network is not None:
            return self.network.encode_arrays(embeddings)
        x = np.ascontiguousarray(self._encoder(embeddings)).view(np.complex64)
        power = np.mean(x.real**2 + x.imag**2, axis=-1, keepdims=True)
        symbols: Complex = x / np.sqrt(power)
        return symbols

    def decode(self, x_hat: Complex, n0_eff: Floats) -> Decoded:  # noqa: ARG002 - SNR-blind
        """Embeddings of equalized symbols; the noise power is not used."""
        if self.network is not None:
            return Decoded(self.network.decode_arrays(x_hat))
        return Decoded(self._decoder(np.ascontiguousarray(x_hat, np.complex64).view(np.float32)))


def _half(arrays: Mapping[str, Floats], name: str, inputs: int, outputs: int) -> _Half:
    """One half by its name. Raises KeyError for an absent array, ValueError for one of another shape."""
    inner, outer = arrays[f"{name}.0.weight"], arrays[f"{name}.2.weight"]
    norm = {part: arrays[f"{name}.3.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}
    if inner.shape != (HIDDEN, inputs) or outer.shape != (outputs, HIDDEN):
        raise ValueError(f"layers of the {name} are {inner.shape} and {outer.shape}")
    scale: Floats = norm["weight"] / np.sqrt(norm["running_var"] + np.float32(_BATCH_NORM_EPSILON))
    bias: Floats = (arrays[f"{name}.2.bias"] - norm["running_mean"]) * scale + norm["bias"]
    return _Half(inner, arrays[f"{name}.0.bias"], outer * scale[:, None], bias)
