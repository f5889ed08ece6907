"""Tables and templates of model cards."""

from pkgutil import resolve_name

import pytest
from jinja2 import UndefinedError

from lab.report.cards import markdown_table, render
from lab.train.registry import TRAINERS


def test_tables() -> None:
    assert markdown_table([{"k": 16, "set": "drawn", "0 dB": 0.51234, "seconds": 92.4, "none": float("nan")}]) == (
        "| k | set | 0 dB | seconds | none |\n| --- | --- | --- | --- | --- |\n| 16 | drawn | 0.512 | 92 |  |"
    )


def test_a_template_has_all_its_values_or_fails() -> None:
    with pytest.raises(UndefinedError, match="learned"):
        render("train/label/card.md.j2", count=3)


@pytest.mark.parametrize("name", TRAINERS)
def test_every_card_tells_how_it_was_made(name: str) -> None:
    """Scenes are drawn; all else is learned from data that lie elsewhere on each machine."""
    kind = resolve_name(TRAINERS[name].settings)
    drawn = kind.model_fields["data"].default == "scenes"

    def made(**given: str) -> str:
        values = {"command": f"semlink train {name}", "minutes": 3.0, "hardware": "a machine", "version": "1"}
        return render("train/common/made.md.j2", settings=kind(name=name, **given), **values)

    told = made() if drawn else made(data="cifar")
    assert f"    semlink train {name}{'' if drawn else ' --data DIR'}\n" in told
    if "features" in kind.model_fields:
        assert f"    semlink train {name} --features FILE\n" in made(features="mine.npz")
