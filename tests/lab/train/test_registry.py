"""The registry of trainers: settings without torch, flags from settings, and the names of everything that ships."""

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from lab.evaluate.ask import points
from lab.train.common.output import command_of
from lab.train.registry import TRAINERS
from lab.train.uo_isc import ABLATIONS, UoIscSettings
from tests.tools.paths import ROOT

COMMON = {"--data", "--seed", "--device", "--out"}
CODEC = COMMON | {"--clip", "--weights", "--drawn", "--runs", "--features", "--clip-fingerprint", "--cache"}


def test_settings_of_all_trainers_load_without_torch() -> None:
    program = (
        "import sys; from pkgutil import resolve_name; from lab.train.registry import TRAINERS;"
        "[resolve_name(trainer.settings) for trainer in TRAINERS.values()];"
        "assert not {'torch', 'lightning', 'faiss'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", TRAINERS)
def test_every_row_leads_to_a_function_and_settings_of_its_own_folders(name: str) -> None:
    settings = resolve_name(TRAINERS[name].settings)(name=name, data="data")
    assert callable(resolve_name(TRAINERS[name].function))
    assert (settings.name, settings.out.name) == (name, name)
    assert settings.runs.name in {name, ""}


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("clip-tiny", COMMON | {"--epochs", "--runs"}),
        ("kbsc", CODEC),
        ("kbsc-authors", CODEC),
        ("nested", CODEC | {"--unlabelled", "--clusters", "--rounds"}),
        ("label", CODEC | {"--epochs"}),
        ("vq-digital", CODEC - {"--runs"} | {"--bursts"}),
        ("deepjscc", COMMON | {"--rounds", "--threads", "--runs"}),
        ("digital-pictures", {"--data", "--out"}),
    ],
)
def test_described_settings_are_flags(name: str, flags: set[str]) -> None:
    fields = resolve_name(TRAINERS[name].settings).model_fields
    found = {f"--{field.replace('_', '-')}" for field, info in fields.items() if info.description}
    assert found - {"--devices"} == flags


@pytest.mark.parametrize("name", TRAINERS)
def test_the_command_of_weights_names_all_that_is_not_usual(name: str) -> None:
    usual = resolve_name(TRAINERS[name].settings)(name=name, data="data", device="cpu", out="elsewhere")
    assert command_of(usual) == f"semlink train {name}"


def test_flags_of_a_command_are_those_that_make_the_weights() -> None:
    changed = UoIscSettings(alignment=False, intent=0, rounds=3, threads=1)
    assert command_of(changed) == "semlink train uo-isc --rounds 3 --no-alignment --intent 0"
    named = UoIscSettings(name="uo-isc-unaligned", seed=2)
    assert (named.alignment, named.out.name) == (False, "uo-isc-unaligned")
    assert command_of(named) == "semlink train uo-isc-unaligned --seed 2"
    assert set(ABLATIONS) == set(points.ABLATIONS) < set(TRAINERS)


def test_unlabelled_has_two_names() -> None:
    settings = resolve_name(TRAINERS["nested"].settings)
    assert settings(name="nested", data="", unlabelled=True) == settings(name="nested-unlabelled", data="")


def test_every_folder_of_weights_has_a_trainer() -> None:
    exported = {"clip-tiny-bundle"}  # by `semlink export`
    folders = {path.name for path in (ROOT / "assets").iterdir() if (path / "README.md").exists()}
    assert folders - exported <= set(TRAINERS)
