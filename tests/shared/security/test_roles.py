"""The table of roles has every RPC of every service, and nothing else."""

from importlib import import_module
from pathlib import Path

from shared.security.roles import ROLES, RULES
from tests.tools.paths import ROOT


def _methods() -> set[str]:
    found = set()
    for file in Path(ROOT, "protos/semlink/v1").glob("*_pb2.py"):
        for service in import_module(f"protos.semlink.v1.{file.stem}").DESCRIPTOR.services_by_name.values():
            found |= {f"/{service.full_name}/{method.name}" for method in service.methods}
    return found


def test_every_rpc_has_a_rule_and_every_rule_an_rpc() -> None:
    assert len(_methods()) > 20
    assert set(RULES) == _methods()


def test_who_may_only_observe_or_send_changes_nothing() -> None:
    for method, rule in RULES.items():
        assert rule.roles
        assert set(rule.roles) <= set(ROLES)
        if rule.changes:
            assert not {"send", "observe"} & set(rule.roles), method
