import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from cli.up import Models, make_plan, say_ready
from local.health import is_serving, wait_serving
from local.leash import Leash
from local.service_process import ServiceProcess
from local.supervisor import LinkPlan, LocalLink
from shared.errors import Unavailable

PARENT = """
import sys, time
from pathlib import Path
from local.leash import Leash
from local.service_process import ServiceProcess
service = ServiceProcess("channel_proxy", Path(sys.argv[1]), Leash())
service.start()
service.address(time.monotonic() + 30)
print(service.pid, flush=True)
time.sleep(60)
"""


def wait_until_gone(pid: int, seconds: float) -> bool:
    deadline = monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if monotonic() > deadline:
            return False
        sleep(0.05)
    return True


def test_a_service_that_cannot_start_is_reported_with_its_log_and_none_is_left(tmp_path: Path) -> None:
    plan = LinkPlan(tmp_path / "kb", tmp_path / "logs", flags={"receiver": ["--batch-size", "0"]})
    link = LocalLink(plan)
    with pytest.raises(Unavailable, match=r"(?s)receiver ended with status 2.*receiver\.log.*batch.size"):
        link.start()
    assert all(wait_until_gone(service.pid, 1) for service in link.services.values() if service.pid)


def test_a_killed_service_is_reported_and_starts_again_on_its_port(tmp_path: Path) -> None:
    with Leash() as leash:
        service = ServiceProcess("channel_proxy", tmp_path, leash)
        service.start()
        address = service.address(monotonic() + 30)
        wait_serving(address, 30)
        service.kill()
        with pytest.raises(Unavailable, match="channel_proxy ended with status -9"):
            service.check()
        assert not is_serving(address)
        service.start()
        assert service.address(monotonic() + 30) == address
        wait_serving(address, 30)
        service.terminate()
        service.wait(5)
        assert wait_until_gone(service.pid, 1)


def test_a_port_in_use_is_reported(link: LocalLink, tmp_path: Path) -> None:
    port = int(link.channel.rpartition(":")[2])
    with Leash() as leash:
        service = ServiceProcess("channel_proxy", tmp_path, leash, port=port)
        service.start()
        service.wait(30)
        assert not service.bound
        with pytest.raises(Unavailable, match=rf"channel_proxy ended with status [^0][\s\S]*{port}"):
            service.check()


def test_services_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
    assert wait_until_gone(child, 8)


def test_the_running_link(link: LocalLink) -> None:
    assert all(is_serving(address) for address in (link.transmitter, link.channel, link.receiver))
    link.check()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_up_stopped_while_it_starts_leaves_nothing(tmp_path: Path, number: int, status: int) -> None:
    ports = [part for name in ("transmitter", "channel", "receiver") for part in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "cli.app", "up", *ports, "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        deadline = monotonic() + 30
        while len(children := psutil.Process(up.pid).children()) < 2 and monotonic() < deadline:
            sleep(0.05)
        up.send_signal(number)
        assert up.wait(20) == status
    assert len(children) >= 2
    assert all(wait_until_gone(child.pid, 1) for child in children)


def test_up_says_what_to_try_next(link: LocalLink, capsys: pytest.CaptureFixture[str]) -> None:
    say_ready(link)
    shown = capsys.readouterr().out
    assert f"semlink send PICTURE --snr-db 5 --transmitter {link.transmitter}" in shown
    assert str(link.plan.directory) in shown.replace("\n", "")


def test_knowledge_bases_of_different_content_have_different_folders(tmp_path: Path) -> None:
    folders = {
        make_plan(tmp_path, kb=None, source=source, models=Models(clip)).knowledge_base
        for source, clip in (("drawn", None), ("drawn", "ViT-B-32"), ("my pictures/", None), ("cifar100:data", None))
    }
    assert len(folders) == 4
