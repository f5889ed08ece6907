"""The knowledge base changes in any order while bursts arrive: every answer is of what it holds, with its label now.

A plain dictionary is the model. Bursts go through the receiver's own pipeline, without sockets, with a codec of each
kind: one without categories, and those whose label posterior is derived from the knowledge base.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.codecs import Codec, CodecShelf
from shared.codecs.base.registry import codec_class
from shared.frame.burst import CodecSpec
from shared.frame.reception import Reception
from shared.phy import pilot_sequence
from shared.types import Floats
from tests.tools.embeddings import clusters
from tests.tools.knowledge_base import fill
from tests.tools.rpc import make_burst

CODECS: list[Codec] = [codec_class(name).load(k, "cpu") for name, k in (("raw", 512), ("nested", 64), ("label", 64))]
POOL = clusters(60, seed=3).embeddings
LABELS = ["apple", "bottle", "chair", "[/red]", "d\u202eog"]
numbers = st.integers(0, 10_000)
labels = st.sampled_from(LABELS)


class Changing(RuleBasedStateMachine):
    """Rules that change one knowledge base, and rules that ask it. `items`: id to label and embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.items = {f"item-{n}": ("label", POOL[n]) for n in range(3)}
        self.snapshots: dict[str, dict[str, tuple[str, Floats]]] = {}
        self.added = 3
        fill(self.folder / "kb", POOL[:3], labels=["label"] * 3)

    @initialize(engine=st.sampled_from(["flat", "ivf-sq8"]))
    def opened(self, engine: str) -> None:
        self.kb = KnowledgeBase.open(self.folder / "kb", EngineSettings(name=engine), writable=True)
        receiver = ReceiverSettings(kb=self.folder / "kb", device="cpu")
        self.pipeline = ReceivePipeline(receiver, CodecShelf("cpu", "c0ffee"), self.kb)

    def teardown(self) -> None:
        self.kb.close()
        shutil.rmtree(self.folder)

    @precondition(lambda self: len(self.items) < 30)
    @rule(label=labels, count=st.integers(1, 4))
    def add(self, label: str, count: int) -> None:
        fresh = {f"new-{self.added + n}": (label, POOL[(self.added + n) % len(POOL)]) for n in range(count)}
        self.added += count
        outcomes = self.kb.add([ItemRecord(item_id, *each) for item_id, each in fresh.items()])
        assert all(isinstance(position, int) for position in outcomes)
        self.items |= fresh

    @precondition(lambda self: len(self.items) > 1)
    @rule(label=labels)
    def remove_a_label(self, label: str) -> None:
        gone = [item_id for item_id, (one, _) in self.items.items() if one == label]
        if gone and len(gone) < len(self.items):
            assert self.kb.remove(gone) == len(gone)
            self.items = {item_id: each for item_id, each in self.items.items() if item_id not in gone}

    @rule(number=numbers, label=labels)
    def relabel(self, number: int, label: str) -> None:
        chosen = self._any(number)
        self.kb.relabel({chosen: label})
        self.items[chosen] = (label, self.items[chosen][1])

    @rule(name=st.sampled_from(["a", "b"]))
    def take_snapshot(self, name: str) -> None:
        self.kb.snapshot(name)
        self.snapshots[name] = dict(self.items)

    @precondition(lambda self: self.snapshots)
    @rule(number=numbers)
    def restore(self, number: int) -> None:
        name = sorted(self.snapshots)[number % len(self.snapshots)]
        self.kb.restore(name)
        self.items = dict(self.snapshots[name])

    @rule()
    def compact(self) -> None:
        self.kb.compact()

    @rule()
    def let_time_pass(self) -> None:
        """So much that what is derived from the knowledge base is renewed."""
        self.pipeline._posteriors._known.clear()

    @rule(number=numbers)
    def search(self, number: int) -> None:
        chosen = self._any(number)
        hits = self.kb.search(self.items[chosen][1][None], 100)[0]
        assert {hit.item_id: hit.label for hit in hits} == self._labels()
        assert hits[0].distance < 1e-3
        assert (self.items[hits[0].item_id][1] == self.items[chosen][1]).all()
        assert self.kb.description.labels == len(set(self._labels().values()))

    @rule(number=numbers, codec=st.sampled_from(CODECS))
    def send(self, number: int, codec: Codec) -> None:
        sent = codec.encode(self.items[self._any(number)][1][None])[0]
        spec = CodecSpec(codec.name, codec.k, codec.fingerprint, "c0ffee")
        burst = make_burst(1, codec=spec, symbols=np.concatenate([pilot_sequence(16), sent]), csi="pilot", top_k=100)
        answer = self.pipeline.receive([(replace(burst, pilot_symbols=16), codec)])[0]
        assert isinstance(answer, Reception), answer
        assert {hit.item_id: hit.label for hit in answer.top} == self._labels()
        assert 0 <= answer.confidence <= 1

    def _any(self, number: int) -> str:
        return sorted(self.items)[number % len(self.items)]

    def _labels(self) -> dict[str, str]:
        return {item_id: label for item_id, (label, _) in self.items.items()}


Changing.TestCase.settings = settings(
    max_examples=10, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestChanging = Changing.TestCase


def test_a_label_that_lost_its_items_and_gets_some_again() -> None:
    """The order of changes that made every nearby picture fail for 10 s."""
    machine = Changing()
    machine.opened("flat")
    try:
        machine.add("apple", 2)
        machine.send(0, CODECS[1])
        machine.remove_a_label("apple")
        machine.let_time_pass()
        machine.send(0, CODECS[1])
        machine.add("apple", 2)
        machine.send(0, CODECS[1])
    finally:
        machine.teardown()
