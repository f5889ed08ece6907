"""Addresses as users type them."""

import pytest

from shared.errors import InvalidSetting
from shared.rpc.address import checked_address, is_loopback, proxy_allowed
from shared.rpc.options import PROXY_VARIABLE


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("http://radio-host:50051/", "radio-host:50051"),
        ("grpc://localhost:1", "localhost:1"),
        ("grpcs://radio-host:1", "radio-host:1"),
        (" [::1]:50051 ", "[::1]:50051"),
        ("dns:///receiver:50053", "dns:///receiver:50053"),
        ("unix:/run/semlink.sock", "unix:/run/semlink.sock"),
    ],
)
def test_the_scheme_is_taken_off(typed: str, taken: str) -> None:
    assert checked_address(typed) == taken


@pytest.mark.parametrize(
    "typed", ["", "here", "127.0.0.1", ":50051", "host:0", "host:70000", "host:http", "::1:50051", "[nine]:5", "a b:5"]
)
def test_another_form_is_refused_with_the_right_one(typed: str) -> None:
    with pytest.raises(InvalidSetting, match=r"give HOST:PORT, for example .* or \[::1\]:50051"):
        checked_address(typed)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="unknown scheme"):
        checked_address("ftp://host:1")


def test_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/a", "radio-host:1", "dns:///receiver:1"]
    assert [is_loopback(each) for each in addresses] == [True, True, True, True, False, False]
    assert not any(map(proxy_allowed, addresses))
    monkeypatch.setenv(PROXY_VARIABLE, "1")
    assert [proxy_allowed(each) for each in addresses] == [False] * 4 + [True] * 2
