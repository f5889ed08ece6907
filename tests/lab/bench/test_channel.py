"""The benchmark of the channel: that it measures; the values depend on the machine."""

from lab.bench.channel import ChannelBench, bench_channel


def test_the_benchmark_measures_the_proxy_against_forwarding() -> None:
    result = bench_channel(ChannelBench(bursts=200, turns=1, seconds=0.05))
    assert result["forwarding_us"] > 0
    assert set(result["beyond_forwarding_us"]) == {"awgn", "rayleigh"}
    assert min(result["computed_symbols_per_second"].values()) > 0
