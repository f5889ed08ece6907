"""`label` and `vq-digital` of one's own embeddings, from the command line: learned, served, sent by."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from local.supervisor import LinkPlan, LocalLink
from tests.tools.cli import called


def run(*arguments: str | Path) -> str:
    done = called(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_label_and_vq_digital_of_a_file_and_of_a_knowledge_base(tmp_path: Path) -> None:
    features, base, weights = tmp_path / "f.npz", tmp_path / "kb", tmp_path / "weights"
    run("features", "first:4:drawn", "--split", "train", "--out", features)
    run("kb", "build", features, "--out", base)
    said = run(
        *("train", "label", "--features", features, "--epochs", "1"),
        *("--out", weights / "label", "--runs", tmp_path / "runs"),
    )
    assert re.search(r"labels have at most \d vectors; what label learns", said)
    run("train", "vq-digital", "--features", base, "--out", weights / "vq-digital")
    with np.load(features) as arrays:
        np.savez(tmp_path / "two.npz", **{name: arrays[name][:2] for name in ("embeddings", "ids")})
        labels, made_by = arrays["labels"][:2].tolist(), str(arrays["clip_fingerprint"])
    flags = ["--weights-dir", str(weights)]
    plan = LinkPlan(
        knowledge_base=base, directory=tmp_path, source=None, flags={"transmitter": flags, "receiver": flags}
    )
    with LocalLink(plan) as link:
        for codec in ("label", "vq-digital"):
            sent = called(
                *("send", "--embedding", tmp_path / "two.npz", "--clip-fingerprint", made_by, "--codec", codec),
                *("--k", "256", "--snr-db", "30", "--transmitter", link.transmitter, "--json"),
            )
            assert sent.returncode == 0, sent.stderr
            found = json.loads(sent.stdout)
            assert [each["codec"] for each in found] == [codec, codec]
            assert [each["label"] for each in found] == labels
