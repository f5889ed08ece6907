"""How fast the link is, as ratios to what a user would pick instead, measured in one run."""

from lab.bench.channel import ChannelBench, bench_channel
from lab.bench.encoder import bench_encoder
from lab.bench.link import LinkBench, bench_link

__all__ = ["ChannelBench", "LinkBench", "bench_channel", "bench_encoder", "bench_link"]
