"""OFDM modulation and demodulation.

    x [n] --> subcarriers [S, N] --> inverse FFT --> cyclic prefix --> samples [S (P + N)]
    y [n] <-- subcarriers [S, N] <------ FFT <------ prefix cut off <-- samples

N = fft_size, P = cyclic_prefix_symbols, S = ceil(n / N) OFDM symbols. Symbols fill the subcarriers from the lowest
frequency to the highest, one OFDM symbol after the other; unused subcarriers of the last one stay empty. The transform
is unitary: a symbol keeps its energy Es = 1, and noise of N0 per sample is noise of N0 per subcarrier. Timing is
assumed perfect: the receiver's window begins where the first path's prefix ends. (Proakis, Salehi, "Digital
Communications", 5th edition, section 11.2.)
"""

import numpy as np

from shared.phy.channel.stage import Signal
from shared.phy.conditions.settings import Grid
from shared.types import Complex


def ofdm_symbols(grid: Grid, n: int) -> int:
    """OFDM symbols that carry `n` symbols."""
    return -(-n // grid.fft_size)


def air_symbols(grid: Grid | None, n: int) -> int:
    """Channel uses of `n` symbols: empty subcarriers and prefixes included; `n` itself on a single carrier."""
    return n if grid is None else ofdm_symbols(grid, n) * sum(grid)


def modulate(grid: Grid, x: Complex) -> Complex:
    """Samples on the air of the symbols `x`: [B, n] to [B, air_symbols], complex64."""
    count = ofdm_symbols(grid, x.shape[1])
    padded = np.zeros((len(x), count * grid.fft_size), np.complex64)
    padded[:, : x.shape[1]] = x
    return with_prefix(grid, to_time(padded.reshape(len(x), count, grid.fft_size)))


def demodulate(grid: Grid, samples: Complex, n: int) -> Complex:
    """Symbols on the first `n` subcarriers: [B, air_symbols] to [B, n], complex64."""
    return to_frequency(bodies(grid, samples)).reshape(len(samples), -1)[:, :n]


def demodulate_signal(grid: Grid, signal: Signal, x: Complex) -> Signal:
    """Received subcarriers of the sent symbols `x`: [B, n].

    The wanted part is h x. Interference between subcarriers (gain that changes within an OFDM symbol) and between OFDM
    symbols (echo later than the prefix) counts as noise, as do rounding errors of the transform, at about -140 dB.
    """
    n = x.shape[1]
    gain = mean_gain(grid, signal.gain, n)
    if signal.response is not None:
        gain = gain * signal.response[:, :n]
    noise = demodulate(grid, signal.received, n) - gain * x
    return Signal(gain * x, noise, gain)


def mean_gain(grid: Grid, gain: Complex, n: int) -> Complex:
    """Mean of a gain over each OFDM symbol, without its prefix: [B, 1] unchanged, [B, air_symbols] to [B, n]."""
    if gain.shape[1] == 1:
        return gain
    return np.repeat(bodies(grid, gain).mean(axis=2), grid.fft_size, axis=1)[:, :n]


def bodies(grid: Grid, samples: Complex) -> Complex:
    """OFDM symbols without their prefixes: [..., air_symbols] to [..., S, N]."""
    return samples.reshape(*samples.shape[:-1], -1, sum(grid))[..., grid.cyclic_prefix_symbols :]


def with_prefix(grid: Grid, body: Complex) -> Complex:
    """Prepend the cyclic prefix to each OFDM symbol: [B, S, N] to [B, air_symbols]."""
    prefix = body[..., grid.fft_size - grid.cyclic_prefix_symbols :]
    return np.concatenate([prefix, body], axis=-1).reshape(len(body), -1)


def to_time(subcarriers: Complex) -> Complex:
    """Subcarriers, lowest frequency first, to samples: along the last axis, unitary."""
    return np.fft.ifft(np.fft.ifftshift(subcarriers, axes=-1), norm="ortho").astype(np.complex64, copy=False)


def to_frequency(body: Complex) -> Complex:
    """Samples to subcarriers, lowest frequency first: along the last axis, unitary."""
    return np.fft.fftshift(np.fft.fft(body, norm="ortho"), axes=-1).astype(np.complex64, copy=False)
