"""A certificate authority for development, and the certificates of a link.

DIR/ca/ca.pem, ca.key            the authority; whoever has its key can make certificates, so keep it off the services
DIR/NAME/cert.pem key.pem ca.pem what one service or client needs
"""

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import InvalidSetting, NotFound
from shared.files import put, said

Key: TypeAlias = ec.EllipticCurvePrivateKey

SERVICES: Final = ("transmitter", "channel_proxy", "receiver")
CLIENT: Final = "client"
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_AUTHORITY_DAYS: Final = 3650
_SLACK: Final = timedelta(minutes=5)  # clocks differ


def make_authority(folder: Path) -> None:
    """Make an authority in `folder`/ca. Raises InvalidSetting where there is one."""
    ca, ca_key = _authority_files(folder)
    if ca.exists() or ca_key.exists():
        raise InvalidSetting(f"{ca.parent} has an authority already: `semlink certs renew {folder}` uses it")
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("SemLink development CA")
    usage = x509.KeyUsage(*(flag in {"cert", "crl"} for flag in _USAGES))
    made = (
        _builder(name, name, key, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(ca_key, _pem_of(key), secret=True)
    _write(ca, made.public_bytes(Encoding.PEM))


def issue(folder: Path, names: Iterable[str], days: int, hosts: Iterable[str] = ()) -> list[Path]:
    """Make, or make anew, the certificates of `names`, by the authority in `folder`; the folders that hold them.

    days: how long they are valid. hosts: further names and addresses by which callers know the services.
    Raises NotFound without an authority.
    """
    authority, key = _read_authority(folder)
    return [_issue(folder / name, authority, key, days=days, hosts=hosts) for name in names]


def issued(folder: Path) -> Mapping[str, datetime]:
    """What was issued in `folder`: until when each is valid, by name."""
    found = sorted(folder.glob("*/cert.pem"))
    return {each.parent.name: _first(each.read_bytes()).not_valid_after_utc for each in found}


def validity(pem: bytes) -> str:
    """Why a certificate is not valid now; empty if it is."""
    try:
        found = _first(pem)
    except ValueError as error:
        return f"cannot be read ({error})"
    if found.not_valid_after_utc < datetime.now(UTC):
        return f"expired on {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if found.not_valid_before_utc > datetime.now(UTC) + _SLACK:
        return f"is valid from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only"
    return ""


def _issue(folder: Path, authority: x509.Certificate, authority_key: Key, *, days: int, hosts: Iterable[str]) -> Path:
    """One certificate, for both ends of a connection: a service calls the next one with it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), folder.name
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = (
        _builder(_name(name), authority.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(both, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if name in SERVICES:  # a client is called by nobody
        known = dict.fromkeys((name, name.replace("_", "-"), *_HERE, *hosts))
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(each) for each in known]), critical=False)
    made = builder.sign(authority_key, hashes.SHA256())
    _write(folder / "key.pem", _pem_of(key), secret=True)
    _write(folder / "cert.pem", made.public_bytes(Encoding.PEM))
    _write(folder / "ca.pem", authority.public_bytes(Encoding.PEM))
    return folder


_USAGES: Final = ("signature", "commitment", "key", "data", "agreement", "cert", "crl", "encipher", "decipher")


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK if days > 0 else now + timedelta(days=days - 1))
        .not_valid_after(now + timedelta(days=days))
    )


def _read_authority(folder: Path) -> tuple[x509.Certificate, Key]:
    ca, ca_key = _authority_files(folder)
    try:
        key = load_pem_private_key(ca_key.read_bytes(), None)
        authority = _first(ca.read_bytes())
    except OSError as error:
        raise NotFound(f"{said(error)}; `semlink certs init {folder}` makes an authority") from error
    except (ValueError, TypeError) as error:
        raise InvalidSetting(f"{ca.parent} holds no authority that can be read ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidSetting(f"{ca_key} is not a key that `semlink certs init` made: elliptic curve, unencrypted")
    return authority, key


def _authority_files(folder: Path) -> tuple[Path, Path]:
    return folder / "ca" / "ca.pem", folder / "ca" / "ca.key"


def _first(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem_of(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, *, secret: bool = False) -> None:
    """Put a file in place. secret: for its owner alone, also while it is written."""
    path.parent.mkdir(mode=0o700 if secret else 0o755, parents=True, exist_ok=True)
    put(path, data, 0o600 if secret else 0o644)
