"""Services as processes of this machine: started, watched, stopped, and never left behind."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from threading import Timer
from time import monotonic, sleep
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from cli.up import make_plan, say_ready
from local.health import is_serving, wait_serving
from local.service_process import ServiceProcess
from local.supervisor import LinkPlan, LocalLink
from receiver.knowledge_base import build_knowledge_base
from shared.datasets import EmbeddingSource
from shared.errors import Mismatch, Unavailable
from tests.tools.rpc import PATIENCE

PARENT = """
import sys, time
from pathlib import Path
from local.service_process import ServiceProcess
services = [ServiceProcess(name, Path(sys.argv[1])) for name in ("channel_proxy", "receiver")]
for service in services:
    service.start()
services[0].wait_ready(time.monotonic() + 60)
print(*(service.pid for service in services), flush=True)
time.sleep(60)
"""


class OtherClip:
    """A CLIP that the link does not run."""

    name, fingerprint, dim = "ViT-B-32", "c0ffee", 512


def are_gone(processes: Iterable[psutil.Process], seconds: float) -> bool:
    """Whether all end within some seconds."""
    return not psutil.wait_procs(processes, seconds)[1]


def test_a_service_that_cannot_start_is_reported_with_its_log_and_none_is_left(tmp_path: Path) -> None:
    plan = LinkPlan(tmp_path / "kb", tmp_path / "logs", flags={"receiver": ["--batch-size", "0"]})
    link = LocalLink(plan)
    with pytest.raises(
        Unavailable, match=r"receiver ended with status 2: .*batch_size = '0'.* \(log: .*receiver\.log\)$"
    ):
        link.start()
    assert not any(psutil.pid_exists(service.pid) for service in link.services.values() if service.pid)


@pytest.mark.slow
def test_a_knowledge_base_of_another_clip_is_refused_at_the_start(tmp_path: Path) -> None:
    source = EmbeddingSource("ready", np.eye(3, 512, dtype=np.float32), list("abc"), list("xyz"))
    build_knowledge_base(source, tmp_path / "kb", OtherClip())
    link = LocalLink(LinkPlan(tmp_path / "kb", tmp_path / "logs", source=None))
    with pytest.raises(Mismatch, match=r"made with ViT-B-32, the link runs clip-tiny: .*--clip ViT-B-32 --weights"):
        link.start()
    assert not any(psutil.pid_exists(service.pid) for service in link.services.values() if service.pid)


def test_a_killed_service_is_reported_and_starts_again_on_its_port(tmp_path: Path) -> None:
    service = ServiceProcess("channel_proxy", tmp_path)
    service.start()
    address = service.address(monotonic() + PATIENCE)
    service.wait_ready(monotonic() + PATIENCE)
    assert is_serving(address)
    service.kill()
    with pytest.raises(Unavailable, match="channel_proxy ended with status -9"):
        service.check()
    assert not is_serving(address)
    service.start()
    service.wait_ready(monotonic() + PATIENCE)
    assert service.address(monotonic()) == address
    service.terminate()
    service.wait(PATIENCE)
    with pytest.raises(Unavailable, match="channel_proxy ended with status 0"):
        service.check()


def test_a_service_that_dies_while_it_is_waited_for_is_reported_at_once(tmp_path: Path) -> None:
    """It is killed between the binding of its port and the end of its warm-up."""
    service = ServiceProcess("receiver", tmp_path, ["--kb", str(tmp_path / "kb"), "--kb-source", "drawn"])
    service.start()
    service.bound_address(monotonic() + PATIENCE)
    Timer(0.1, service.kill).start()
    with pytest.raises(Unavailable, match="receiver ended with status -9"):
        service.wait_ready(monotonic() + PATIENCE)


def test_a_full_disk_that_takes_no_reason_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The services' own reason and log lie on that disk."""
    service = ServiceProcess("channel_proxy", tmp_path, ["--fading", "fog"])
    service.start()
    with pytest.raises(Unavailable, match=r"fading = .fog"):
        service.check(PATIENCE)
    service.log.write_bytes(b"")
    for left in tmp_path.glob("*.reason"):
        left.write_bytes(b"")
    with pytest.raises(Unavailable, match="it said nothing"):
        service.check(PATIENCE)
    monkeypatch.setattr("shared.files.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(Unavailable, match=r"no space is left on the disk of .*--out"):
        service.check(PATIENCE)


@pytest.mark.parametrize("at_work", [True, False])
def test_a_service_whose_log_goes_on_is_not_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_work: bool
) -> None:
    """As while it builds a large knowledge base."""
    monkeypatch.setattr("local.service_process._SILENCE_SECONDS", 0.4)
    service = ServiceProcess("receiver", tmp_path)
    service.log.touch()
    polls = iter(range(1000))

    def meanwhile() -> None:
        if at_work:
            service.log.touch()
        if next(polls) == 20:  # a second
            (tmp_path / "receiver.address").write_text("127.0.0.1:5\n", encoding="utf-8")

    with nullcontext() if at_work else pytest.raises(Unavailable, match="receiver was not ready in time"):
        assert service.bound_address(monotonic(), meanwhile) == "127.0.0.1:5"


def test_nothing_ready_is_an_error_that_names_the_address() -> None:
    with pytest.raises(Unavailable, match=r"nothing ready at 127\.0\.0\.1:1 after 0\.2 s"):
        wait_serving("127.0.0.1:1", 0.2)


def test_a_port_in_use_is_reported(link: LocalLink, tmp_path: Path) -> None:
    port = int(link.channel.rpartition(":")[2])
    service = ServiceProcess("channel_proxy", tmp_path, port=port)
    service.start()
    with pytest.raises(Unavailable, match=rf"channel_proxy ended with status [^0][\s\S]*{port}"):
        service.wait_ready(monotonic() + PATIENCE)
    assert not service.bound


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        link = LocalLink(LinkPlan(tmp_path / "kb", tmp_path / "logs", ports={"channel_proxy": port}))
        with pytest.raises(Unavailable, match=rf"channel_proxy cannot listen on 127\.0\.0\.1:{port}.*--channel-port 0"):
            link.start()
    assert not link.services


def test_no_service_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Neither one that serves nor one that is still starting."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8"
    ) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    assert are_gone(children, PATIENCE)


def test_health_imports_grpc_alone() -> None:
    """Containers run it every few seconds."""
    code = "import local.health, sys; print([name for name in ('numpy', 'pydantic', 'client') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert run.stdout.strip() == "[]"


def test_the_running_link(link: LocalLink) -> None:
    assert all(is_serving(address) for address in (link.transmitter, link.channel, link.receiver))
    link.check()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_up_stopped_while_it_starts_leaves_nothing(tmp_path: Path, number: int, status: int) -> None:
    ports = [part for name in ("transmitter", "channel", "receiver") for part in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "cli.app", "up", *ports, "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as up:
        deadline = monotonic() + PATIENCE
        while len(children := psutil.Process(up.pid).children()) < 2 and monotonic() < deadline:
            sleep(0.05)
        up.send_signal(number)
        assert up.wait(PATIENCE) == status
    assert len(children) >= 2
    assert are_gone(children, PATIENCE)  # one that was just being started ends when it finds its standard input closed


def test_up_says_what_to_try_next(link: LocalLink, capsys: pytest.CaptureFixture[str]) -> None:
    say_ready(link)
    shown = capsys.readouterr().out
    assert f"semlink send PICTURE --snr-db 5 --transmitter {link.transmitter}" in shown
    assert str(link.plan.directory) in shown.replace("\n", "")


def test_knowledge_bases_of_different_content_have_different_folders(tmp_path: Path) -> None:
    folders = {
        make_plan(tmp_path, kb=None, source=source, models={"clip": clip}).knowledge_base
        for source, clip in (("drawn", None), ("drawn", "ViT-B-32"), ("my pictures/", None), ("cifar100:data", None))
    }
    assert len(folders) == 4
