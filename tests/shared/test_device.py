"""What is known of processor and GPU without asking torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import device
from tests.tools.paths import ROOT

X86 = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 {}\n\nprocessor\t: 1\nmodel name\t: Another\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\nCPU part\t: 0xd0c\n"


@pytest.mark.parametrize(
    ("text", "multiplies"),
    [
        (X86.format("avx512_bf16"), True), (X86.format("amx_bf16"), True), (X86.format("avx512f"), False),
        (ARM.format("bf16"), True), (ARM.format(""), False), ("", True),
    ],
)  # fmt: skip
def test_whether_a_processor_multiplies_bfloat16_is_read_from_its_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, multiplies: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(device, "_CPU_INFO", tmp_path / "cpuinfo")
    assert device.multiplies_bfloat16() is multiplies


def test_of_the_first_core_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(X86.format(""), encoding="utf-8")
    monkeypatch.setattr(device, "_CPU_INFO", tmp_path / "cpuinfo")
    assert device.processor()["model name"] == "Some CPU"
    monkeypatch.setattr(device, "_CPU_INFO", tmp_path / "absent")
    assert device.processor() == {}


@pytest.mark.skipif(device._may_have_gpu(), reason="there may be a GPU here, so torch is asked")
def test_without_the_files_of_a_gpu_auto_is_the_processor_and_torch_is_not_asked() -> None:
    code = "import sys; from shared.device import device_type; print(device_type('auto'), 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "cpu False\n"


def test_threads_hold_for_the_thread_that_set_them() -> None:
    code = (
        "from threading import Thread; from shared.device import thread_count, use_threads; whole = thread_count();"
        "use_threads(7); told = []; one = Thread(target=lambda: told.append(thread_count())); one.start(); one.join();"
        "print(thread_count(), told == [whole])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "7 True\n"


def test_threads_are_set_while_another_thread_is_half_through_importing_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import gate; gate.begun.set(); gate.end.wait(30)", encoding="utf-8")
    (tmp_path / "gate.py").write_text("from threading import Event; begun, end = Event(), Event()", encoding="utf-8")
    code = (
        "import gate; from threading import Thread; from shared.device import thread_count, use_threads;"
        "one = Thread(target=lambda: __import__('torch')); one.start(); gate.begun.wait(30);"
        "use_threads(2); print(thread_count()); gate.end.set(); one.join()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert run.stdout == "2\n"
