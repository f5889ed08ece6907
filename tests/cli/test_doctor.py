"""`semlink doctor`: faults of the machine, of weights and of the link are found and named."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.installation import devices
from local.supervisor import LocalLink
from tests.tools.cli import as_documented, invoke, printed

NOBODY = "127.0.0.1:1"


def examined(*arguments: object) -> tuple[int, dict[str, Any]]:
    """The status, and the last finding of each check."""
    result = invoke("doctor", *arguments, "--json")
    document = as_documented(json.loads(result.stdout), "doctor")
    return result.exit_code, {finding["check"]: finding for finding in document["findings"]}


def test_faults_are_named_with_their_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "nested" / "model.safetensors"
    broken.parent.mkdir()
    broken.write_bytes(b"no weights")
    monkeypatch.setenv("SEMLINK_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc")
    status, found = examined("--transmitter", NOBODY)
    assert status == 1
    assert {found["python"]["state"], found["packages"]["state"], found["clock"]["state"]} == {"fine"}
    for check, word in {"weights": str(broken), "permissions": "/proc", "transmitter": NOBODY}.items():
        assert found[check]["state"] == "fault"
        assert word in found[check]["found"]
        assert found[check]["remedy"]


def test_wrong_packages_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.installation._version", lambda name: None if name == "grpcio" else "0.0.1")
    status, found = examined("--transmitter", NOBODY)
    assert status == 1
    assert "grpcio is not installed" in found["packages"]["found"]
    assert "numpy 0.0.1 (asked for: >=2.0)" in found["packages"]["found"]
    assert "overwrite" in found["faiss"]["found"]


def test_a_light_install_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.installation.find_spec", lambda _: None)
    assert [finding.state for finding in devices()] == ["note"]


def test_a_running_link_is_examined(link: LocalLink) -> None:
    at = {"transmitter": link.transmitter, "channel": link.channel, "receiver": link.receiver}
    found = printed("doctor", *(part for name, address in at.items() for part in (f"--{name}", address)))["findings"]
    states = {finding["check"]: finding["state"] for finding in found}
    assert {"transmitter", "channel", "receiver", "version", "engine", "knowledge base", "a picture"} <= set(states)
    assert set(states.values()) <= {"fine", "note"}


def test_a_link_without_its_receiver_is_a_fault(link: LocalLink) -> None:
    status, found = examined("--transmitter", link.transmitter, "--channel", link.channel, "--receiver", NOBODY)
    assert status == 1
    assert found["transmitter"]["state"] == "fine"
    assert found["receiver"]["state"] == "fault"
    assert "a picture" not in found
