"""How one end calls the other: address, TLS, token. The one place that makes gRPC channels."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import grpc

from shared.errors import InvalidSetting
from shared.files import read_regular, said
from shared.rpc.address import checked_address, is_loopback, proxy_allowed, scheme_is_secure
from shared.rpc.options import MAX_MESSAGE_BYTES, channel_options
from shared.security.guard import HEADER
from shared.security.tls import TlsFiles, channel_credentials
from shared.security.watched import Watched

Metadata = tuple[tuple[str, str], ...]
_MOST_TOKEN_BYTES: Final = 4096
_VARIABLES: Final = {
    "tls_ca": "SEMLINK_TLS_CA",
    "tls_cert": "SEMLINK_TLS_CERT",
    "tls_key": "SEMLINK_TLS_KEY",
    "token": "SEMLINK_TOKEN",
    "token_file": "SEMLINK_TOKEN_FILE",
    "insecure": "SEMLINK_INSECURE",
}


@dataclass(frozen=True)
class Security:
    """How a caller proves who it is, and whom it trusts. Without any of it calls are neither encrypted nor named.

    tls_ca: file of the certificates that a service's own must come from. tls_cert, tls_key: files of the caller's
    certificate and private key, where services ask for one. token, or token_file, a file that holds it.
    insecure: let a token go to another machine without TLS, where all on the way can read it.
    """

    tls_ca: Path | str | None = None
    tls_cert: Path | str | None = None
    tls_key: Path | str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | str | None = None
    insecure: bool = False

    @classmethod
    def from_environment(cls) -> Self:
        """SEMLINK_TLS_CA, SEMLINK_TLS_CERT, SEMLINK_TLS_KEY, SEMLINK_TOKEN, SEMLINK_TOKEN_FILE, SEMLINK_INSECURE."""
        given = {name: os.environ.get(variable) or None for name, variable in _VARIABLES.items()}
        return cls(**{**given, "insecure": given["insecure"] not in {None, "0", "false"}})  # type: ignore[arg-type]

    @property
    def files(self) -> TlsFiles:
        """The PEM files. Raises InvalidSetting for a certificate without its key."""
        ca, cert, key = (None if one is None else Path(one) for one in (self.tls_ca, self.tls_cert, self.tls_key))
        return TlsFiles(cert, key, ca)


class Dialer:
    """Makes channels to one address, and the metadata of calls on them.

    address: as users type it; grpcs:// or https:// asks for TLS, grpc:// or http:// for none, and without either the
    security's files decide. Raises InvalidSetting for an address, a file or a token that is none, and for a token that
    would go to another machine without TLS.
    """

    def __init__(self, address: str, security: Security | None = None) -> None:
        self.address = checked_address(address)
        self._security = security or Security.from_environment()
        secure = scheme_is_secure(address)
        self.secure = bool(self._files.paths) if secure is None else secure
        self._token_file = None if self._security.token_file is None else Path(self._security.token_file)
        self._token = self._read_token()
        self._token_watched = Watched(*((self._token_file,) if self._token_file else ()))
        if self._token and not self.secure and not self._security.insecure and not is_loopback(self.address):
            raise InvalidSetting(
                f"a token would go to {self.address} without TLS, where all on the way can read it: give --tls-ca, or "
                "say SEMLINK_INSECURE=1"
            )

    def channel(self, *, use_proxy: bool = True) -> Any:
        """A channel for blocking calls."""
        return self._channel_of(grpc, channel_options(use_proxy=use_proxy and proxy_allowed(self.address)))

    def aio_channel(self, max_message_bytes: int = MAX_MESSAGE_BYTES, *, use_proxy: bool = True) -> Any:
        """A channel for the event loop."""
        options = channel_options(max_message_bytes, use_proxy=use_proxy and proxy_allowed(self.address))
        return self._channel_of(grpc.aio, options)

    def files_changed(self) -> bool:
        """Whether the certificates were replaced since the last call that said so: then dial anew."""
        return self.secure and self._watched.changed()

    def metadata(self) -> Metadata:
        """What a call says of its caller; a token from a file is read again when that changes."""
        if self._token_watched.changed():
            self._token = self._read_token() or self._token
        return ((HEADER, f"Bearer {self._token}"),) if self._token else ()

    @cached_property
    def _files(self) -> TlsFiles:
        return self._security.files

    @cached_property
    def _watched(self) -> Watched:
        return Watched(*self._files.paths)

    def _credentials(self) -> grpc.ChannelCredentials:
        self._watched.changed()  # what is read now is what is known
        return channel_credentials(self._files)

    def _channel_of(self, api: Any, options: Any) -> Any:
        """A channel of `grpc` or `grpc.aio`, whose calls show the token if there is one."""
        if self.secure:
            channel = api.secure_channel(self.address, self._credentials(), options)
        else:
            channel = api.insecure_channel(self.address, options)
        return _Named(channel, self.metadata) if self._token else channel

    def _read_token(self) -> str | None:
        if self._security.token:
            return _checked_token(self._security.token, "SEMLINK_TOKEN")
        if self._token_file is None:
            return None
        try:
            return _checked_token(read_regular(self._token_file, _MOST_TOKEN_BYTES).decode(), str(self._token_file))
        except (OSError, UnicodeDecodeError) as error:
            why = said(error) if isinstance(error, OSError) else f"{self._token_file} is no text"
            raise InvalidSetting(f"token: {why}") from error


class _Named:
    """A channel whose calls all say who makes them; stubs take it for a channel."""

    def __init__(self, channel: Any, metadata: Callable[[], Metadata]) -> None:
        self._channel, self._metadata = channel, metadata

    def __getattr__(self, name: str) -> Any:
        made = getattr(self._channel, name)
        if name not in {"unary_unary", "unary_stream", "stream_unary", "stream_stream"}:
            return made

        def multicallable(*arguments: Any, **options: Any) -> Any:
            call = made(*arguments, **options)
            return lambda *given, **more: call(*given, metadata=self._metadata(), **more)

        return multicallable

    def __enter__(self) -> Self:
        self._channel.__enter__()
        return self

    def __exit__(self, *about: object) -> Any:
        return self._channel.__exit__(*about)


def _checked_token(text: str, where: str) -> str:
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise InvalidSetting(f"{where} holds no token: one word, as `semlink token new` prints it")
    return token
