"""What metrics cost: both links answer, and what was counted is found again."""

import pytest

from lab.bench.metrics import MetricsBench, bench_metrics


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_links_take_turns_and_one_is_scraped() -> None:
    found = bench_metrics(MetricsBench(seconds=1.5, turns=1, concurrency=4))
    assert found["throughput_ratio"] > 0
    assert found["cpu_ratio"] > 0
    assert 0 < found["counting_share"] < 1
    assert 1 < found["counting_us_per_picture"] < 1e4
