"""The compose files and the Dockerfile, read as text; `make compose-test` runs them."""

import re
import tomllib
from itertools import combinations
from typing import Any

import pytest
import yaml

from channel_proxy.settings import ProxySettings
from receiver.settings import ReceiverSettings
from tests.tools.paths import ROOT
from transmitter.settings import TransmitterSettings

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SETTINGS = {
    "transmitter": ("SEMLINK_TRANSMITTER_", TransmitterSettings),
    "channel_proxy": ("SEMLINK_CHANNEL_", ProxySettings),
    "receiver": ("SEMLINK_RECEIVER_", ReceiverSettings),
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def test_the_only_way_from_transmitter_to_receiver_is_the_channel(compose: dict[str, Any]) -> None:
    networks = {name: set(service["networks"]) for name, service in compose["services"].items()}
    joined = {frozenset(pair) for pair in combinations(networks, 2) if networks[pair[0]] & networks[pair[1]]}
    assert frozenset({"transmitter", "receiver"}) not in joined
    assert {frozenset({"transmitter", "channel_proxy"}), frozenset({"channel_proxy", "receiver"})} <= joined
    assert compose["networks"]["uplink"]["internal"]
    assert compose["networks"]["downlink"]["internal"]


def test_transmitter_and_console_are_published_and_only_to_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert {*published} == {"transmitter", "console"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_every_service_is_built_here_from_a_target_of_the_dockerfile(compose: dict[str, Any]) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    for service in compose["services"].values():
        assert service["image"].startswith("semlink-")
        assert service["build"]["target"] in targets
        assert service["init"] is True


@pytest.mark.parametrize("name", SETTINGS)
def test_environment_names_settings_and_says_their_defaults(compose: dict[str, Any], name: str) -> None:
    """A misspelt variable would be ignored; a default that differs from the code's would surprise."""
    prefix, settings = SETTINGS[name]
    own = {
        "HOST",
        "KB",
        "KB_SOURCE",
        "CHANNEL_ADDRESS",
        "RECEIVER_ADDRESS",
        "LOG_FORMAT",
        "RECEIVER_STREAMS",
        "METRICS_PORT",
    }
    for variable, value in compose["services"][name]["environment"].items():
        field = variable.removeprefix(prefix)
        assert field != variable, variable
        assert field.lower() in settings.model_fields, variable
        default = re.fullmatch(rf"\${{{variable}:-(.*)}}", str(value))
        if default and field not in own:
            expected = settings.model_fields[field.lower()].default
            assert type(expected)(default[1]) == expected, variable


def test_gpu_file_only_overrides_services_that_compute(compose: dict[str, Any]) -> None:
    gpu = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text(encoding="utf-8"))
    assert set(gpu["services"]) == {"transmitter", "receiver"}


def test_dockerfile_needs_no_frontend_and_runs_nobody_as_root() -> None:
    assert "# syntax=" not in DOCKERFILE
    for name in ("transmitter", "channel_proxy", "receiver"):
        stage = re.split(rf"^FROM \S+ AS {name}$", DOCKERFILE, flags=re.MULTILINE)[1].split("\nFROM ")[0]
        (check,) = re.findall(r"^HEALTHCHECK .*$", stage, re.MULTILINE)
        assert "heartbeat" in check
        assert "python" not in check  # it would take 0.7 s of processor time every 5 s
    assert DOCKERFILE.count("USER semlink") == 4  # channel_proxy, client, console, services


def test_the_heavy_libraries_stay_out_of_the_light_images() -> None:
    child_of = {stage: parent for parent, stage in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)}
    for name in ("channel_proxy", "client", "console"):
        lineage = [name]
        while lineage[-1] in child_of:
            lineage.append(child_of[lineage[-1]])
        assert not any(stage.startswith("services") for stage in lineage), lineage


def test_the_milvus_file_lets_several_receivers_read_one_knowledge_base() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.milvus.yml").read_text(encoding="utf-8"))["services"]
    variables = services["receiver"]["environment"]
    settings = {name.removeprefix("SEMLINK_RECEIVER_").lower(): value for name, value in variables.items()}
    receiver = ReceiverSettings(**settings)
    assert (receiver.engine, receiver.read_only) == ("milvus", True)
    assert receiver.engine_uri == "http://milvus:19530"
    assert f"--uri {receiver.engine_uri}" in services["knowledge_base"]["command"][0]
    for service in services.values():
        assert service.get("networks", ["downlink"]) == ["downlink"], "none beside the transmitter"
        assert "ports" not in service


def test_the_build_context_has_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert packages <= kept


def merged(name: str) -> dict[str, dict[str, Any]]:
    """The services of a compose file, over those of docker-compose.yml that they override."""
    base, over = (
        yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"] for file in ("docker-compose.yml", name)
    )
    return {service: base.get(service, {}) | settings for service, settings in over.items()}


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("docker-compose*.yml")))
def test_every_container_is_confined(name: str) -> None:
    for service, settings in merged(name).items():
        where = f"{name}: {service}"
        assert settings.get("read_only") is True, where
        assert any(str(mount).startswith("/tmp") for mount in settings.get("tmpfs", ())), where
        for limit in ("mem_limit", "cpus", "pids_limit"):
            assert settings.get(limit), f"{where} lacks {limit}"
        assert settings["cap_drop"] == ["ALL"], where
        assert "no-new-privileges:true" in settings["security_opt"], where
        assert not settings.get("privileged"), where
        own = str(settings["image"]).startswith("semlink-")  # the Dockerfile sets their user
        assert own or str(settings.get("user", "root")) not in {"root", "0"}, f"{where} runs as root"
        if settings.get("user") == "root":
            assert settings["network_mode"] == "none", f"{where} is root with a network"


def test_a_service_without_tls_and_tokens_says_so_and_with_both_does_not(compose: dict[str, Any]) -> None:
    tls = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text(encoding="utf-8"))["services"]
    for name, (prefix, settings) in SETTINGS.items():
        assert compose["services"][name]["environment"][f"{prefix}INSECURE"] == "true"
        own = {variable.removeprefix(prefix).lower(): value for variable, value in tls[name]["environment"].items()}
        assert own.pop("insecure") == "false"
        assert {"tls_cert", "tls_key", "tls_ca", "tokens"} <= set(own) <= set(settings.model_fields)
        assert ("token_file" in own) == (name != "receiver")
        assert tls[name]["volumes"] == [f"certs_{name}:/certs:ro"], "no service sees the key of another"
