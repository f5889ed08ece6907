"""Sends the demo's pictures and measures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from time import perf_counter

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.demo.pairs import shown_items
from cli.demo.result import DemoPicture, DemoResult, Row
from cli.demo.scenarios import Scenario, scenarios
from client.client import SemLink
from client.knowledge_base import KnowledgeBaseClient
from client.options import SendOptions
from local.health import wait_serving
from shared.errors import NotFound, SemLinkError
from shared.frame.delivery import Delivery

WARM_UP = 8
_READY_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """What to send. options: the codec, and what goes with it. concurrency: pictures on their way at once.

    tell_snr: whether the sender knows the average SNR of each row.
    """

    images: int
    snrs_db: tuple[float, ...]
    options: SendOptions
    concurrency: int = 1
    tell_snr: bool = False


@dataclass(frozen=True)
class Addresses:
    """Where the link is, HOST:PORT."""

    transmitter: str
    receiver: str


def run_demo(plan: Plan, addresses: Addresses, console: Console) -> DemoResult:
    """Send every picture through every scenario. Raises the first picture's error, if one has one."""
    start = perf_counter()
    pictures = demo_pictures(plan.images)
    for address in (addresses.transmitter, addresses.receiver):
        wait_serving(address, _READY_SECONDS)
    with SemLink(addresses.transmitter) as link:
        described = link.describe()
        rows = tuple(_measure(link, pictures, plan, console))
    return DemoResult(
        transmitter=described,
        pictures=pictures,
        rows=rows,
        thumbnails=_thumbnails(addresses.receiver, rows),
        concurrency=plan.concurrency,
        seconds=perf_counter() - start,
    )


def demo_pictures(count: int) -> tuple[DemoPicture, ...]:
    """The first pictures of the drawn set's query part, one category after the other."""
    from shared.datasets import drawn  # noqa: PLC0415 - keeps this module light

    pixels, categories = drawn.draw_batch("query", range(count))
    names = [drawn.CATEGORIES[category] for category in categories]
    return tuple(DemoPicture(label, _png(picture)) for picture, label in zip(pixels, names, strict=True))


def require_matplotlib() -> None:
    """Raise NotFound before the work if the figure could not be drawn after it."""
    if find_spec("matplotlib") is None:
        raise NotFound("matplotlib is not installed, the demo draws with it; run: pip install 'semlink[plot]'")


def _measure(link: SemLink, pictures: Sequence[DemoPicture], plan: Plan, console: Console) -> Iterator[Row]:
    rows = scenarios(plan.snrs_db, plan.options, plan.tell_snr)
    truth = tuple(picture.label for picture in pictures)
    clean: tuple[str, ...] = ()
    columns = (TextColumn("sending pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(rows) * len(pictures))
        for scenario in rows:
            _warm_up(link, pictures, scenario)
            deliveries = []
            for delivery in _send(link, pictures, scenario, plan.concurrency):
                deliveries.append(delivery)
                progress.advance(bar)
            clean = clean or tuple(delivery.label for delivery in deliveries)
            yield Row(scenario, tuple(deliveries), truth, clean)


def _send(link: SemLink, pictures: Sequence[DemoPicture], scenario: Scenario, concurrency: int) -> Iterator[Delivery]:
    files = (picture.data for picture in pictures)
    for answer in link.send_many(files, in_flight=concurrency, ordered=True, **scenario.options):
        if isinstance(answer.outcome, SemLinkError):
            raise answer.outcome
        yield answer.outcome


def _warm_up(link: SemLink, pictures: Sequence[DemoPicture], scenario: Scenario) -> None:
    """Meet first uses outside the measurement."""
    for _ in _send(link, pictures[:WARM_UP], scenario, 1):
        pass


def _thumbnails(address: str, rows: Sequence[Row]) -> dict[str, bytes]:
    """Thumbnails of the items that the figure shows."""
    with KnowledgeBaseClient(address) as knowledge_base:
        return {item_id: knowledge_base.get_item(item_id).thumbnail for item_id in shown_items(rows)}


def _png(pixels: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")  # type: ignore[arg-type]
    return buffer.getvalue()
