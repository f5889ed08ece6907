"""Fixtures that several files share."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo.run import demo_pictures
from local.supervisor import SERVICES, LinkPlan, LocalLink
from shared.codecs.base.weight_files import WEIGHTS_DIR

_SLOW = (
    "tests/cli/kb/", "tests/cli/test_console", "tests/cli/test_lazy", "tests/link/", "tests/local/", "tests/project/",
    "tests/acceptance/",
    "channel_proxy/test_proxy_faults", "transmitter/test_transmitter",
    "knowledge_base/test_crash", "knowledge_base/test_engines", "knowledge_base/test_kb_lab",
    "knowledge_base/test_live", "knowledge_base/test_replica", "receiver/test_kb_service",
    "lab/bench/", "lab/evaluate/test_ask", "lab/simulate/", "lab/test_paper", "lab/train/", "lab/vqa/",
    "channel/test_ber", "channel/test_fading", "channel/test_noise", "channel/test_statistics", "channel/test_tdl",
    "receive/test_estimation", "frame/test_header",
    "clip/test_clip", "clip/test_kept", "clip/test_texts",
    "codecs/test_digital_pictures", "datasets/test_pictures", "rpc/test_burst_link", "rpc/test_server",
)  # fmt: skip
"""Files, and folders of such, whose tests take more than 5 s together."""
_LONG = (
    "test_milvus_server",
    "test_own_",
    "test_paper",
    "test_contributing",
    "tests/link/",
    "tests/chaos/",
    "lab/simulate/",
    "lab/evaluate/",
)
_SHARED = {"link", "test_set"}
"""Fixtures that take more than 5 s, once for all tests that use them."""


def pytest_configure() -> None:
    """Heed SIGINT, also in processes that tests start: a shell starts what it puts in the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLink]:
    """The three services as real processes, with a knowledge base of the drawn set.

    `link.transmitter`, `link.channel`, `link.receiver` are addresses, `link.services` the processes, `link.plan` what
    they were started with. A test that kills one, or changes the channel, puts it back.
    """
    folder = tmp_path_factory.mktemp("link")
    flags = {name: ["--metrics-port", "0", "--log-format", "json"] for name in SERVICES}
    with LocalLink(LinkPlan(knowledge_base=folder / "kb", directory=folder / "logs", flags=flags)) as running:
        yield running


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for embeddings of whole data sets, one for all processes of a run: clip-tiny embeds each set once."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "features"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def drawn_pngs() -> list[tuple[str, bytes]]:
    """Label and PNG file of 200 pictures that the knowledge base does not hold, two of each category."""
    return [(picture.label, picture.encoded()) for picture in demo_pictures(200)]


@pytest.fixture(scope="module", autouse=True)
def _weights_of_this_file() -> Iterator[None]:
    """Weights that a file's tests put before the shipped ones end with the file."""
    before = os.environ.pop(WEIGHTS_DIR, None)
    yield
    os.environ.pop(WEIGHTS_DIR, None)
    if before is not None:
        os.environ[WEIGHTS_DIR] = before


def pytest_collection_finish() -> None:
    """Let no garbage collection look at modules and items again, which are there to the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start the three services, and those of files that take more than 5 s.

    Files with such tests come first, the longest before all: one that came last would keep one core waiting.
    """
    for item in items:
        if _SHARED & {*getattr(item, "fixturenames", ())} or any(part in str(item.path) for part in _SLOW):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_place(item.path), item.path not in slow))


def _place(path: Path) -> int:
    """Among the long files, the longest first; all others come after them."""
    return next((place for place, part in enumerate(_LONG) if part in str(path)), len(_LONG))
