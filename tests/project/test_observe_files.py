"""The files for Prometheus and Grafana name metrics and services that there are."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from shared.observe.figures import Count, Distribution, Level
from shared.observe.metrics import METRICS
from tests.tools.paths import ROOT

FOLDER = ROOT / "docker" / "observe"
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/semlink.json").read_text(encoding="utf-8"))
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def samples() -> set[str]:
    """Names of all samples of the services."""
    found = {figure.name for figure in METRICS if isinstance(figure, Level)}
    found |= {
        f"{figure.name}_total" for figure in METRICS if isinstance(figure, Count) and not isinstance(figure, Level)
    }
    for figure in METRICS:
        if isinstance(figure, Distribution):
            parts = ("bucket", "sum", "count") if figure.bounds[0] >= 0 else ("bucket",)
            found |= {f"{figure.name}_{part}" for part in parts}
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_panel_asks_for_a_metric_that_there_is(expression: str) -> None:
    named = set(re.findall(r"semlink_\w+", expression))
    assert named or "process_" in expression
    assert named <= samples()


def test_labels_of_the_panels_are_those_of_the_metrics() -> None:
    labels = {label for figure in METRICS for label in figure.labels} | {"le", "job"}
    for expression in EXPRESSIONS:
        for inside in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in inside.split(",")} <= labels, expression


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    text = " ".join(EXPRESSIONS)
    assert [figure.name for figure in METRICS if figure.name not in text] == []


def test_the_services_that_are_scraped_are_in_the_compose_file() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert {job["job_name"] for job in scraped} == set(services) - {"demo", "console"}
    further = yaml.safe_load((ROOT / "docker-compose.observe.yml").read_text(encoding="utf-8"))["services"]
    for service in further.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            assert not volume.startswith("./") or (ROOT / volume.split(":")[0]).exists()


def test_every_service_sends_its_spans_to_jaeger() -> None:
    further = yaml.safe_load((ROOT / "docker-compose.observe.yml").read_text(encoding="utf-8"))["services"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert further[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"
        assert {*service["networks"]} & {*further["jaeger"]["networks"]}


def test_prometheus_accepts_its_configuration() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    subprocess.run(["promtool", "check", "config", FOLDER / "prometheus.yml"], check=True, capture_output=True)
