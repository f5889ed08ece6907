"""TLS of a service, and of whoever calls one: from files, which may be replaced while both run.

Both ends check what they read with Python's own ssl first, which says what is wrong; gRPC says nothing of it.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import structlog

from shared.errors import InvalidSetting, SemLinkError
from shared.files import read_regular, said
from shared.security.watched import Watched

log = structlog.get_logger()

_MOST_BYTES: Final = 1 << 20
_MAKES: Final = "`semlink certs init DIR` makes certificates for a link"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of one end.

    cert, key: its own certificate with what stands above it, and its private key; both or none. ca: certificates that
    those of the other end must come from; None: for a caller those of the system, for a service it asks for none.
    """

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            there, absent = ("--tls-cert", "--tls-key") if self.key is None else ("--tls-key", "--tls-cert")
            raise InvalidSetting(f"{there} without {absent}: give both; {_MAKES}")

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those that are set."""
        return tuple(path for path in (self.cert, self.key, self.ca) if path is not None)

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Contents of cert, key and ca. Raises InvalidSetting naming a file that is none, or a key of another one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert, key, ca = map(_content, (self.cert, self.key, self.ca))
        if self.cert is not None and self.key is not None:
            try:
                context.load_cert_chain(self.cert, self.key, password=_no_password)
            except (ssl.SSLError, ValueError) as error:
                raise InvalidSetting(
                    f"{self.cert} and {self.key} are no certificate and its unencrypted private key, in PEM ({error})"
                ) from error
            _require_current(self.cert, cert or b"")
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except ssl.SSLError as error:
                raise InvalidSetting(f"{self.ca} has no certificates in PEM ({error}); {_MAKES}") from error
        return cert, key, ca


def server_credentials(files: TlsFiles, *, mutual: bool) -> grpc.ServerCredentials:
    """Credentials of a service, read again for each new connection if the files have changed.

    mutual: callers show a certificate of `files.ca`. Files that do not fit, as in the middle of a change, leave those
    of before in force. Raises InvalidSetting where the first ones do not fit.
    """
    watched = Watched(*files.paths)

    def configured() -> grpc.ServerCertificateConfiguration:
        cert, key, ca = files.read()
        return grpc.ssl_server_certificate_configuration([(key or b"", cert or b"")], ca if mutual else None)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        if not watched.changed():
            return None
        try:
            found = configured()
        except SemLinkError as error:
            log.error("certificate not read again; that of before stays", reason=str(error))
            return None
        log.info("certificate read again", file=str(files.cert))
        return found

    fetch: Any = renewed  # gRPC takes None for "as before"; its types do not say so
    return grpc.dynamic_ssl_server_credentials(configured(), fetch, require_client_authentication=mutual)


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Credentials of a caller, from the files as they are now. Raises InvalidSetting where they do not fit."""
    cert, key, ca = files.read()
    return grpc.ssl_channel_credentials(ca, key, cert)


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise InvalidSetting(f"TLS: {said(error)}; {_MAKES}") from error


def _no_password() -> str:
    return ""  # else OpenSSL would ask at the terminal


def _require_current(path: Path, pem: bytes) -> None:
    from shared.security.certificates import validity  # noqa: PLC0415 - 60 ms, for those who use TLS

    if reason := validity(pem):
        raise InvalidSetting(f"{path} {reason}: renew it, for example with `semlink certs renew DIR`")
