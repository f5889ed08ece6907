"""Addresses as users type them, as gRPC takes them, and whether a proxy may lie on the way."""

import ipaddress
import os
import re
from typing import Final

from shared.errors import InvalidSetting
from shared.rpc.options import PROXY_VARIABLE

_PLAIN: Final = ("http", "grpc", "tcp")
_SECURE: Final = ("https", "grpcs")
_RESOLVERS: Final = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "xds", "passthrough")  # gRPC's own schemes
_FORM: Final = "give HOST:PORT, for example 127.0.0.1:50051 or [::1]:50051"


def checked_address(address: str) -> str:
    """The address for gRPC: HOST:PORT, with a scheme such as http:// or grpcs:// and a path of / taken off.

    Addresses of gRPC's own schemes, such as dns:///receiver:50053, stay as they are. Raises InvalidSetting for any
    other form, with the right one.
    """
    scheme, _, rest = address.strip().rpartition("://")
    if (scheme and scheme.lower() not in _PLAIN + _SECURE) or address.partition(":")[0] in _RESOLVERS:
        return _of_resolver(address)
    plain = rest.rstrip("/")
    host, _, port = plain.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65535 or not _is_host(host):
        raise InvalidSetting(f"address {address!r}: {_FORM}")
    return plain


def scheme_is_secure(address: str) -> bool | None:
    """Whether an address asks for TLS (grpcs://, https://) or for none (grpc://, http://); None: it says nothing."""
    scheme = address.strip().rpartition("://")[0].lower()
    return True if scheme in _SECURE else False if scheme in _PLAIN else None


def is_loopback(address: str) -> bool:
    """Whether an address that `checked_address` gave leads to this machine only."""
    host = address.rpartition("/")[2].rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or address.startswith("unix")


def proxy_allowed(address: str) -> bool:
    """Whether a client may go through a proxy to `address`: to another machine, where SEMLINK_USE_PROXY is 1."""
    return os.environ.get(PROXY_VARIABLE) == "1" and not is_loopback(address)


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            return ipaddress.ip_address(host[1:-1].partition("%")[0]).version == 6
        except ValueError:
            return False
    return bool(re.fullmatch(r"[\w.-]+", host))


def _of_resolver(address: str) -> str:
    if address.partition(":")[0].lower() not in _RESOLVERS:
        raise InvalidSetting(f"address {address!r}: unknown scheme; {_FORM}")
    return address
