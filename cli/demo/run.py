"""Sends the demo's pictures and measures."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter

from cli.demo.result import DemoResult, Row, shown_items
from cli.demo.setups import Setup, setups
from cli.progress import progress
from client.client import SemLink
from client.knowledge_base import KnowledgeBaseClient
from client.options import SendOptions
from local.health import wait_serving
from shared.datasets import Picture, open_source
from shared.errors import SemLinkError
from shared.frame.delivery import Delivery

WARM_UP = 8
_READY_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """What to send. options: the codec and its options. concurrency: pictures in flight.

    tell_snr: whether the average SNR of each row is its design SNR.
    """

    images: int
    snrs_db: tuple[float, ...]
    options: SendOptions
    concurrency: int = 1
    tell_snr: bool = False


def run_demo(plan: Plan, transmitter: str, receiver: str) -> DemoResult:
    """Send every picture with every setup. Raises the error of the first picture that has one.

    transmitter, receiver: addresses of the link, HOST:PORT.
    """
    start = perf_counter()
    pictures = demo_pictures(plan.images)
    with SemLink(transmitter) as link, KnowledgeBaseClient(receiver) as knowledge_base:
        for address in (transmitter, receiver):
            wait_serving(address, _READY_SECONDS)
        described = link.describe()
        rows = tuple(_measure(link, pictures, plan))
        thumbnails = {item_id: knowledge_base.get_item(item_id).thumbnail for item_id in shown_items(rows)}
    return DemoResult(described, pictures, rows, thumbnails, plan.concurrency, perf_counter() - start)


def demo_pictures(count: int) -> tuple[Picture, ...]:
    """The first pictures of the drawn set's query part as PNG files, one category after the other."""
    return tuple(
        replace(picture, content=picture.encoded()) for picture in islice(open_source("drawn", "query"), count)
    )


def _measure(link: SemLink, pictures: Sequence[Picture], plan: Plan) -> Iterator[Row]:
    rows = setups(plan.snrs_db, plan.options, plan.tell_snr)
    truth = tuple(picture.label for picture in pictures)
    clean: tuple[str, ...] = ()
    done = 0
    with progress("sending pictures") as report:
        for setup in rows:
            deque(_send(link, pictures[:WARM_UP], setup, 1), maxlen=0)  # unmeasured, since first uses are slow
            deliveries = []
            for delivery in _send(link, pictures, setup, plan.concurrency):
                deliveries.append(delivery)
                report(done := done + 1, len(rows) * len(pictures))
            clean = clean or tuple(delivery.label for delivery in deliveries)
            yield Row(setup, tuple(deliveries), truth, clean)


def _send(link: SemLink, pictures: Sequence[Picture], setup: Setup, concurrency: int) -> Iterator[Delivery]:
    files = (picture.encoded() for picture in pictures)
    for answer in link.send_many(files, in_flight=concurrency, ordered=True, **setup.options):
        if isinstance(answer.outcome, SemLinkError):
            raise answer.outcome
        yield answer.outcome
