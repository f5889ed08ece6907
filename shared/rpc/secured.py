"""What a service's settings say of its security: its own port, its guard, and how it calls the next service."""

import grpc

from shared.errors import InvalidSetting
from shared.rpc.address import is_loopback
from shared.rpc.dial import Security
from shared.runtime.config import CallingSettings, ServerSettings
from shared.security.guard import Guard
from shared.security.tls import TlsFiles, server_credentials
from shared.security.tokens import TokenBook


def credentials_of(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """Of the service's port; None without TLS. Raises InvalidSetting for files that do not fit."""
    files = _files(settings)
    if files.cert is None:
        return None
    return server_credentials(files, mutual=settings.mutual_tls and files.ca is not None)


def guard_of(settings: ServerSettings) -> Guard:
    """Who may call what. Raises InvalidSetting for tokens that are none."""
    if settings.tokens is None and not settings.accept_token:
        return Guard(None)
    return Guard(TokenBook(settings.tokens, settings.accept_token))


def security_of(settings: CallingSettings) -> Security:
    """How the service calls the next one: with its own certificate, and its token."""
    token = None if settings.token is None else settings.token.get_secret_value()
    return Security(
        settings.tls_ca, settings.tls_cert, settings.tls_key, token, settings.token_file, insecure=settings.insecure
    )


def require_safe(settings: ServerSettings) -> None:
    """Raise InvalidSetting for a service that other machines could reach without TLS, or without a token."""
    if settings.insecure or is_loopback(f"{settings.host}:{settings.port}"):
        return
    missing = [] if settings.tls_cert is not None else ["TLS (--tls-cert and --tls-key)"]
    missing += [] if settings.tokens is not None or settings.accept_token else ["tokens (--tokens)"]
    if missing:
        raise InvalidSetting(
            f"host = {settings.host}: other machines could reach this service, without {' and '.join(missing)}. "
            "`semlink certs init DIR` and `semlink token new NAME --role send --tokens FILE` make them. On a network "
            "where all may do everything, say so: --insecure"
        )


def _files(settings: ServerSettings) -> TlsFiles:
    return TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_ca)
