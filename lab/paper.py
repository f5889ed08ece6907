"""The first paper's own setting, with the CLIP of your choice: from pictures to a page of results.

    pictures --CLIP--> features --train--> weights --evaluate, every scheme of the paper--> table --report--> page

All lies in one folder: `features`, `weights`, `runs` (checkpoints and curves), and what `semlink evaluate` and
`semlink report` write. What is there is not made again, so a run that was stopped goes on.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name

import polars as pl

from lab.data.features import ClipChoice, load_choice
from lab.evaluate.bounds import classifier_accuracy
from lab.evaluate.data import open_test_set
from lab.evaluate.run import evaluate
from lab.evaluate.scenario import Scenario, load_scenario
from lab.evaluate.selection import command_of
from lab.report.markdown import write_page
from lab.train.common.settings import TrainSettings
from lab.train.registry import TRAINERS
from shared.codecs.base.weight_files import use_weights_dir
from shared.types import Progress

TRIAL_PICTURES, TRIAL_QUERIES = 4, 50


@dataclass(frozen=True)
class Paper:
    """What to do. data: CIFAR-100, or a source with the parts `train`, `query`, `kb`.

    trial: only see that all works: few pictures of each label, few steps, few queries; the figures mean nothing.
    """

    clip: ClipChoice
    data: str
    out: Path = Path("out/paper")
    scenario: str = "paper"
    jobs: int = 1
    seed: int = 1
    device: str = "auto"
    trial: bool = False

    @property
    def source(self) -> str:
        """The pictures."""
        return f"first:{TRIAL_PICTURES}:{self.data}" if self.trial else self.data

    @property
    def features(self) -> Path:
        """Folder of cached embeddings."""
        return self.out / "features"

    @property
    def weights(self) -> Path:
        """Folder of weights, as `use_weights_dir` takes it."""
        return self.out / "weights"

    @cached_property
    def compared(self) -> Scenario:
        """The scenario to evaluate."""
        whole = load_scenario(self.scenario)
        return whole.model_copy(update={"queries": TRIAL_QUERIES}) if self.trial else whole


def train(paper: Paper) -> None:
    """Train every codec of the paper that is not there yet, on CIFAR-100 alone, as the paper did."""
    clip = load_choice(paper.clip, paper.device).fingerprint
    for name in (name for name, trainer in TRAINERS.items() if trainer.trial is not None):
        wanted = _settings(paper, name)
        made_by, text = wanted.out / "made-by.txt", f"CLIP {clip}\n{wanted!r}\n"
        if not (made_by.exists() and made_by.read_text(encoding="utf-8") == text):
            resolve_name(TRAINERS[name].function)(wanted)
            made_by.write_text(text, encoding="utf-8")


def _settings(paper: Paper, name: str) -> TrainSettings:
    given = {
        "name": name,
        "data": paper.source,
        "clip": paper.clip.model,
        "weights": paper.clip.weights,
        "drawn": False,
        "cache": paper.features,
        "out": paper.weights / name,
        "runs": paper.out / "runs" / name,
        "seed": paper.seed,
        "device": paper.device,
    }
    trainer = TRAINERS[name]
    settings: TrainSettings = resolve_name(trainer.settings)(**given, **(trainer.trial or {} if paper.trial else {}))
    return settings


def compare(paper: Paper, report: Progress | None = None) -> pl.DataFrame:
    """Evaluate the scenario with these weights, and write table and page; gives the table."""
    use_weights_dir(paper.weights)
    test_set = open_test_set(paper.source, paper.clip, paper.features)
    best = classifier_accuracy(paper.source, paper.clip, test_set, paper.features)
    again = command_of(
        paper.scenario, data=paper.data, clip=paper.clip.model, weights=paper.clip.weights, weights_dir=paper.weights
    )
    table = evaluate(
        paper.compared, test_set, paper.out, jobs=paper.jobs, best_classifier=best, report=report,
        command="" if paper.trial else again,
    )  # fmt: skip
    write_page(paper.out, command=command(paper))
    return table


def command(paper: Paper) -> str:
    """What to type to do it again."""
    weights = f" --weights {paper.clip.weights}" if paper.clip.weights else ""
    trial = " --trial" if paper.trial else ""
    return f"semlink paper --clip {paper.clip.model}{weights} --data {paper.data} --out {paper.out}{trial}"
