import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from client.cli.up import make_plan
from client.health import is_serving, wait_serving
from client.leash import Leash
from client.service_process import ServiceProcess
from client.supervisor import LinkPlan, LocalLink
from shared.errors import Unavailable

PARENT = """
import sys, time
from pathlib import Path
from client.leash import Leash
from client.service_process import ServiceProcess
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
        with pytest.raises(Unavailable, match=r"channel_proxy ended with status [^0]"):
            while True:
                service.check(monotonic() + 30)
                assert not service.bound
                sleep(0.05)


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


def test_up_runs_until_ctrl_c_and_leaves_nothing(link: LocalLink, tmp_path: Path) -> None:
    ports = [part for name in ("transmitter", "channel", "receiver") for part in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "client.cli.app", "up", "--kb", str(link.plan.knowledge_base), *ports]
    with subprocess.Popen([*command, "--out", str(tmp_path)], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        lines = iter(up.stdout.readline, "")
        assert any("Ctrl-C" in line for line in lines)
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) == 4
        up.send_signal(signal.SIGINT)
        assert up.wait(10) == 130
    assert all(wait_until_gone(child.pid, 1) for child in children)


def test_knowledge_bases_of_different_content_have_different_folders(tmp_path: Path) -> None:
    common = {"kb": None, "weights": None, "download": False, "device": None}
    folders = {
        make_plan(tmp_path, source=source, clip=clip, **common).knowledge_base
        for source, clip in (("drawn", None), ("drawn", "ViT-B-32"), ("my pictures/", None), ("cifar100:data", None))
    }
    assert len(folders) == 4
