"""A small scenario of the laboratory."""

from typing import Any

from lab.evaluate.scenario import Scenario


def scenario(**changes: Any) -> Scenario:
    given: dict[str, Any] = {
        "title": "test",
        "snr_db": [0.0],
        "scheme": [{"name": "raw", "k": [512]}],
        "channel": [{"csi": "none", "settings": {"fading": "none"}}],
        "queries": 200,
    }
    return Scenario.model_validate(given | changes)
