"""A real service with real certificates and tokens: who gets in, and what changes while it runs."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from client import ChannelControl, Security
from shared.errors import InvalidSetting, PermissionDenied, SemLinkError, Unauthenticated, Unavailable
from shared.rpc.server import serve
from shared.security.certificates import issue, make_authority
from shared.security.tokens import Entry, digest_of, new_secret
from tests.tools.rpc import FarEnd, far_end, linked, make_burst, to_channel, until

SECRETS: Mapping[Any, str] = {role: new_secret() for role in ("send", "operate", "observe")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `own` and `foreign`, and a file of tokens."""
    made = tmp_path_factory.mktemp("security")
    for name in ("own", "foreign"):
        make_authority(made / name)
        issue(made / name, ("channel_proxy", "client", "late"), 30)
    lines = [Entry(role, (role,), digest_of(secret)).line() for role, secret in SECRETS.items()]
    (made / "tokens").write_text("\n".join(lines), encoding="utf-8")
    return made


def of(folder: Path, name: str = "client", ca: Path | None = None, role: str | None = None) -> Security:
    own = folder / name
    trusted = own / "ca.pem" if ca is None else ca
    return Security(trusted, own / "cert.pem", own / "key.pem", SECRETS[role] if role else None)


@asynccontextmanager
async def secured(folder: Path, directory: Path, far: str = "127.0.0.1:1", **more: Any) -> AsyncIterator[str]:
    """The channel proxy with mutual TLS and tokens."""
    files = {f"tls_{name}": folder / "own" / "channel_proxy" / f"{name}.pem" for name in ("cert", "key", "ca")}
    own: dict[str, Any] = {"receiver_address": f"grpc://{far}", "grace_seconds": 1, "log_level": "error", **files}
    announce, stop = directory / "address", asyncio.Event()
    settings = ProxySettings(**(own | {"announce": announce, "port": 0, "tokens": folder / "tokens"} | more))
    announce.unlink(missing_ok=True)
    running = asyncio.create_task(serve(ChannelService, settings, stop))
    try:
        await until(lambda: announce.exists() or running.done())
        if running.done():
            running.result()
        yield announce.read_text(encoding="utf-8")
    finally:
        stop.set()
        await running


async def asked(address: str, security: Security, ask: Callable[[ChannelControl], Any]) -> Any:
    """What a blocking client gets, or its error."""

    def call() -> Any:
        with ChannelControl(address, security=security) as control:
            try:
                return ask(control)
            except SemLinkError as error:
                return error

    return await asyncio.to_thread(call)


async def test_certificate_token_and_role_decide(folder: Path, tmp_path: Path) -> None:
    own, foreign = folder / "own", folder / "foreign"
    async with secured(folder, tmp_path) as address:
        get, change = ChannelControl.get, lambda control: control.set(snr_db=3.0)
        with structlog.testing.capture_logs() as logs:
            assert (await asked(address, of(own, role="operate"), change)).snr_db == 3.0
        (line,) = [line for line in logs if line["event"] == "audit"]
        assert (line["token"], line["certificate"], line["what"]) == ("operate", "client", "Channel/SetChannel")
        assert line["settings"] == {"snr_db": 3.0}
        assert line["peer"].startswith("ipv")
        assert (await asked(address, of(own, role="observe"), get)).snr_db == 3.0
        assert isinstance(await asked(address, of(own, role="observe"), change), PermissionDenied)
        assert isinstance(await asked(address, of(own), get), Unauthenticated)
        for refused in (
            Security(token=SECRETS["observe"]),  # no TLS
            Security(own / "client" / "ca.pem", token=SECRETS["observe"]),  # no certificate
            of(foreign, ca=own / "client" / "ca.pem", role="observe"),
            of(foreign, role="observe"),
        ):
            error = await asked(address, refused, get)
            assert isinstance(error, Unavailable), refused
            assert "nothing answers" not in str(error)


async def test_an_expired_certificate_is_named_by_whoever_uses_it(folder: Path, tmp_path: Path) -> None:
    issue(folder / "own", ["late"], -1)
    with pytest.raises(InvalidSetting, match=r"late/cert\.pem expired on"):
        ChannelControl("127.0.0.1:1", security=of(folder / "own", "late"))
    late = folder / "own" / "late"
    with pytest.raises(InvalidSetting, match=r"expired on .* renew it"):
        async with secured(folder, tmp_path, tls_cert=late / "cert.pem", tls_key=late / "key.pem"):
            pass


async def test_certificates_are_rotated_without_a_restart(folder: Path, tmp_path: Path) -> None:
    """The whole authority is replaced; in between, when certificate and key do not fit, the earlier ones hold."""
    live = tmp_path / "live"
    shutil.copytree(folder / "own" / "channel_proxy", live)
    files = {f"tls_{name}": live / f"{name}.pem" for name in ("cert", "key", "ca")}
    async with secured(folder, tmp_path, **files) as address:
        shutil.copy(folder / "foreign" / "channel_proxy" / "cert.pem", live)
        assert not isinstance(
            await asked(address, of(folder / "own", role="observe"), ChannelControl.get), SemLinkError
        )
        for name in ("key.pem", "ca.pem"):
            shutil.copy(folder / "foreign" / "channel_proxy" / name, live)
        assert not isinstance(
            await asked(address, of(folder / "foreign", role="observe"), ChannelControl.get), SemLinkError
        )
        assert isinstance(await asked(address, of(folder / "own", role="observe"), ChannelControl.get), Unavailable)


async def test_a_hop_is_encrypted_and_named_too(folder: Path, tmp_path: Path) -> None:
    async with far_end(FarEnd()) as far, secured(folder, tmp_path, far) as address:
        async with linked(to_channel(address, security=of(folder / "own", role="send"))) as hop:
            assert (await hop.exchange(make_burst(1))).burst_id == 1
        async with linked(to_channel(address, security=of(folder / "own", role="observe"))) as hop:
            with pytest.raises(SemLinkError, match="needs the role send"):
                await hop.exchange(make_burst(1))


async def test_a_hop_opens_its_next_stream_with_new_certificates(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "own" / "client", tmp_path / "live" / "client")
    foreign = {f"tls_{name}": folder / "foreign" / "channel_proxy" / f"{name}.pem" for name in ("cert", "key", "ca")}
    async with far_end(FarEnd()) as far:
        async with secured(folder, tmp_path, far) as address:
            hop = to_channel(address, security=of(tmp_path / "live", role="send"))
            await hop.exchange(make_burst(1))
        async with linked(hop), secured(folder, tmp_path, far, port=int(address.rpartition(":")[2]), **foreign):
            shutil.copytree(folder / "foreign" / "client", tmp_path / "live" / "client", dirs_exist_ok=True)
            assert (await hop.exchange(make_burst(2))).burst_id == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
async def test_a_service_beyond_loopback_needs_tls_and_tokens(host: str, folder: Path, tmp_path: Path) -> None:
    for given, missing in ({"tokens": None}, "--tokens"), ({"tls_cert": None, "tls_key": None}, "--tls-cert"):
        with pytest.raises(InvalidSetting, match=f"host = {host}: .*{missing}.*--insecure"):
            async with secured(folder, tmp_path, host=host, **given):
                pass


def test_a_token_does_not_leave_this_machine_in_the_clear() -> None:
    with pytest.raises(InvalidSetting, match="without TLS"):
        ChannelControl("radio-host:50052", security=Security(token="semlink_x"))
    ChannelControl("127.0.0.1:1", security=Security(token="semlink_x")).close()
    assert "semlink_x" not in repr(Security(token="semlink_x"))
