"""What the running services tell of themselves: metrics that Prometheus takes, and one line for each delivery."""

import json
import shutil
import socket
import subprocess
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from client import SemLink
from local.supervisor import SERVICES, LocalLink
from shared.errors import InvalidInput

PICTURES = 5


def log_of(link: LocalLink, service: str, event: str) -> list[dict[str, Any]]:
    """The lines of one event in a service's log."""
    lines = link.services[service].log.read_text(encoding="utf-8").splitlines()
    parsed = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in parsed if line["event"] == event]


def told_of(link: LocalLink, burst: str) -> list[dict[str, Any]]:
    """The transmitter's lines about one delivery."""
    return [line for line in log_of(link, "transmitter", "delivered") if line["burst"] == burst]


def scraped(link: LocalLink, service: str) -> str:
    """What Prometheus gets of a service."""
    address = log_of(link, service, "metrics")[-1]["address"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return answer.read().decode()


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(text: str, sample: str, **labels: str) -> float:
    """The sum of all samples of a name with these labels."""
    return sum(
        found.value
        for family in families(text).values()
        for found in family.samples
        if found.name == sample and labels.items() <= found.labels.items()
    )


def test_metrics_count_what_happened(link: LocalLink, drawn_pngs: list[tuple[str, bytes]]) -> None:
    before = {name: scraped(link, name) for name in SERVICES}
    with SemLink(link.transmitter) as client:
        pictures = [png for _, png in drawn_pngs[:PICTURES]]
        answers = list(client.send_many(pictures, snr_db=10.0, codec="nested"))
        client.send(pictures[0], codec="nested", ask_for_more=True)
        with pytest.raises(InvalidInput):
            client.send(b"no picture")
    after = {name: scraped(link, name) for name in SERVICES}

    def grown(service: str, sample: str, **labels: str) -> float:
        return value(after[service], sample, **labels) - value(before[service], sample, **labels)

    assert len(answers) == PICTURES
    assert grown("transmitter", "semlink_requests_total", method="SendImages", status="OK") == PICTURES
    assert grown("transmitter", "semlink_requests_total", method="SendImage", status="INVALID_ARGUMENT") == 1
    assert grown("transmitter", "semlink_deliveries_total", codec="nested") == PICTURES + 1
    assert grown("transmitter", "semlink_harq_rounds_count") == 1
    assert grown("transmitter", "semlink_stage_duration_seconds_count", stage="encode") == PICTURES + 1
    assert grown("transmitter", "semlink_stage_duration_seconds_count", stage="search") == 0
    assert grown("transmitter", "semlink_batch_items_sum", batcher="encoder") == PICTURES + 1
    assert grown("channel_proxy", "semlink_channel_bursts_total") >= PICTURES + 1
    assert grown("channel_proxy", "semlink_channel_snr_achieved_decibels_bucket", le="+Inf") >= PICTURES + 1
    assert grown("channel_proxy", "semlink_stage_duration_seconds_count", stage="airtime", kind="emulated") > 0
    assert grown("receiver", "semlink_requests_total", method="Burst", status="OK") >= PICTURES + 1
    assert grown("receiver", "semlink_stage_duration_seconds_count", stage="search") >= PICTURES + 1
    assert value(after["receiver"], "semlink_knowledge_base_items") == 2000
    for name in SERVICES:
        assert value(after[name], "semlink_build_info", service=name) == 1
        assert value(after[name], "process_cpu_seconds_total") > 0
        assert value(after[name], "semlink_requests_in_flight") == 0


def test_a_lost_burst_is_counted(link: LocalLink, drawn_pngs: list[tuple[str, bytes]]) -> None:
    before = scraped(link, "channel_proxy")
    with SemLink(link.transmitter) as client, pytest.raises(Exception, match="lost"):
        client.send(drawn_pngs[0][1], loss_probability=1.0)
    after = scraped(link, "channel_proxy")
    lost = [value(text, "semlink_channel_faults_total", fault="lost") for text in (before, after)]
    assert lost[1] - lost[0] == 1


@pytest.mark.parametrize("service", SERVICES)
def test_prometheus_own_tool_has_nothing_to_say(link: LocalLink, service: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    run = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scraped(link, service),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    # Of the collectors of prometheus_client itself it does not like `python_gc_objects_collected_total` and its like.
    own = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("semlink_")]
    assert own == []
    assert "parsing error" not in run.stderr


def test_a_delivery_is_one_line_with_its_burst_id(link: LocalLink, drawn_pngs: list[tuple[str, bytes]]) -> None:
    with SemLink(link.transmitter) as client:
        delivery = client.send(drawn_pngs[0][1], snr_db=3.0)
    deadline = monotonic() + 60
    while not (lines := told_of(link, delivery.burst_id)):  # the line is written once the answer is on its way
        assert monotonic() < deadline
        sleep(0.05)
    assert len(delivery.burst_id) == 16
    (line,) = lines
    assert line["level"] == "info"
    assert (line["codec"], line["k"], line["label"]) == (delivery.codec, delivery.k, delivery.label)
    assert line["snr_db"] == pytest.approx(delivery.channel.snr_db_achieved, abs=0.01)
    assert 0 < line["seconds"] <= delivery.total_seconds


def test_prometheus_itself_scrapes_the_services(link: LocalLink, tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus here: apt-get install prometheus")
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [log_of(link, name, "metrics")[-1]["address"]]}]}
        for name in SERVICES
    ]
    file = tmp_path / "prometheus.yml"
    file.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = [f"--config.file={file}", f"--storage.tsdb.path={tmp_path}", f"--web.listen-address={address}"]
    with subprocess.Popen(["prometheus", *flags], stderr=subprocess.DEVNULL) as prometheus:
        try:
            assert wait_for_answers(address) == dict.fromkeys(SERVICES, "1")
        finally:
            prometheus.terminate()


def wait_for_answers(address: str) -> dict[str, str]:
    """What Prometheus has of `semlink_build_info`, by job, once it has scraped all."""
    found: dict[str, str] = {}
    deadline = monotonic() + 60
    while len(found) < len(SERVICES) and monotonic() < deadline:
        sleep(0.2)
        with suppress(OSError):  # it still starts
            url = f"http://{address}/api/v1/query?query=semlink_build_info"
            with urllib.request.urlopen(url, timeout=10) as answer:
                rows = json.load(answer)["data"]["result"]
            found = {row["metric"]["job"]: row["value"][1] for row in rows}
    return found
