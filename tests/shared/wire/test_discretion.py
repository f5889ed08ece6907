"""A caller on this machine is told all; one elsewhere no path, process or address of this machine."""

from collections.abc import Iterator

import pytest

from shared.errors import DataLoss
from shared.wire.discretion import caller_is_local, is_local, told
from shared.wire.failure import failure_from


@pytest.fixture
def elsewhere() -> Iterator[None]:
    token = caller_is_local.set(False)
    yield
    caller_is_local.reset(token)


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("/srv/kb/a-1.sqlite is damaged; restore /srv/kb", "a-1.sqlite is damaged; restore kb"),
        ("'/srv/own/x.png': gone", "'x.png': gone"),
        ("10.0.0.7:50053 cannot be reached", "the next service cannot be reached"),
        ("ipv4:127.0.0.1:1: refused, first:20:drawn", "the next service: refused, first:20:drawn"),
        ("[::1]:50053 and receiver:50053", "the next service and the next service"),
        ("dns:///receiver:50053 cannot be reached", "the next service cannot be reached"),
        ("dns:///10.0.0.7:50053 cannot be reached", "the next service cannot be reached"),
        ("the receiver that writes it (pid 17 on host-3.lan)", "the receiver that writes it (another process)"),
        ("item 'drawn/kb/00001', k/2 symbols, SNR -5 dB: 3", "item 'drawn/kb/00001', k/2 symbols, SNR -5 dB: 3"),
    ],
)
def test_what_is_told_elsewhere(elsewhere: None, whole: str, shown: str) -> None:
    assert told(whole) == shown
    assert failure_from(DataLoss(whole)).message == shown


def test_an_unexpected_error_is_named_by_its_id_in_the_log(elsewhere: None) -> None:
    message = failure_from(OSError("/srv/secret")).message
    assert message.startswith("internal error ")
    assert "secret" not in message


def test_who_is_here_is_told_all() -> None:
    assert told("/srv/kb of 10.0.0.7:50053") == "/srv/kb of 10.0.0.7:50053"
    assert "secret" in failure_from(OSError("/srv/secret")).message
    assert all(map(is_local, ["ipv4:127.0.0.1:5", "ipv6:%5B::1%5D:5", "unix:/tmp/x"]))
    assert not any(map(is_local, ["ipv4:10.0.0.7:5", "ipv6:%5Bfe80::1%5D:5", "ipv4:12.7.0.1:1"]))
