"""The way of one question: its stages are those of the ledger, and they are not longer than the whole."""

from lab.bench.ask import AskBench, bench_ask
from local.supervisor import LocalLink


def test_the_stages_of_a_question(link: LocalLink) -> None:
    found = bench_ask(AskBench(questions=5, address=link.transmitter))
    assert set(found["stages_ms"]) >= {"encode", "compress", "decode", "answer", "embed", "search"}
    assert 0 < max(found["stages_ms"].values()) < found["p50_ms"] <= found["p95_ms"]
