"""A metrics port that is taken, and figures at the edges."""

import math
import socket

import pytest

from shared.errors import Unavailable
from shared.observe.exposition import serve_metrics
from shared.observe.figures import Distribution
from shared.observe.metrics import METRICS


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*--metrics-port"):
            serve_metrics("channel_proxy", "127.0.0.1", port)


def test_a_value_on_a_bound_belongs_below_it_and_an_infinite_one_is_left_out() -> None:
    figure = Distribution("x_seconds", "X.", ("of",), (1.0, 2.0))
    for value in (1.0, 1.5, 9.0, math.inf, math.nan):
        figure.observe(value, "a")
    assert figure.samples() == [(("a",), [1, 1, 1], 11.5)]


def test_names_are_unique_and_follow_the_conventions() -> None:
    names = [figure.name for figure in METRICS]
    assert len(set(names)) == len(names) > 15
    assert all(name.startswith("semlink_") and not name.endswith("_total") for name in names)
