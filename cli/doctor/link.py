"""Checks of a link that runs: each service, what it holds, and one picture through all of them."""

import io
import socket
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cli.doctor.checks import Finding, fault, fine, note
from client.channel_control import ChannelControl
from client.client import SemLink
from client.connection import CHANNEL, RECEIVER, TRANSMITTER
from client.knowledge_base import KnowledgeBaseClient
from local.health import is_serving
from local.running_links import running_links
from shared.errors import Lost
from shared.frame.delivery import TransmitterInfo
from shared.rpc.address import checked_address
from shared.version import VERSION

_DEFAULTS: Final = {"transmitter": TRANSMITTER, "channel": CHANNEL, "receiver": RECEIVER}
_SECONDS: Final = 5.0
_PICTURE_SECONDS: Final = 30.0
_STREAM: Final = 0xD0C
"""Stream of the picture, with a named counter, so that it takes no random draw of other pictures."""


class Asked(NamedTuple):
    """Where to look. addresses: by service. named: whether the user named any of them, or a link is known to run."""

    addresses: Mapping[str, str]
    named: bool


def addresses(**given: str | None) -> Asked:
    """The addresses that the user named; for others those of a link that runs on this machine, else the usual ones."""
    named = {service: checked_address(address) for service, address in given.items() if address is not None}
    running = next((link.addresses for link in running_links()), {}) if not named else {}
    return Asked(_DEFAULTS | running | named, bool(named or running))


def services(asked: Asked) -> Iterator[Finding]:
    """Whether each service is ready; where none is, whether the usual ports are free for one."""
    ready = {service: is_serving(address) for service, address in asked.addresses.items()}
    if not any(ready.values()) and not asked.named:
        yield note("link", "no link runs on this machine", "semlink up")
        yield from _ports(asked.addresses)
        return
    for service, address in asked.addresses.items():
        if ready[service]:
            yield fine(service, f"ready at {address}")
        else:
            remedy = f"start it (semlink up), read its log, or name its address: --{service} HOST:PORT"
            yield fault(service, f"nothing is ready at {address}", remedy)


def _ports(where: Mapping[str, str]) -> Iterator[Finding]:
    for service, address in where.items():
        port = int(address.rpartition(":")[2])
        try:
            socket.create_server(("127.0.0.1", port)).close()
            yield fine("ports", f"{port} is free for the {service}")
        except OSError as error:
            remedy = f"stop what uses it, or semlink up --{service}-port 0"
            yield fault("ports", f"{port} of the {service} cannot be used: {error.strerror}", remedy)


def is_up(asked: Asked) -> bool:
    """Whether all three services are ready."""
    return all(map(is_serving, asked.addresses.values()))


def ends(asked: Asked) -> Iterator[Finding]:
    """What transmitter and receiver run and hold, and whether these go together."""
    with (
        SemLink(asked.addresses["transmitter"], _SECONDS) as near,
        KnowledgeBaseClient(asked.addresses["receiver"], _SECONDS) as far,
    ):
        own, held = near.describe(), far.describe()
    yield _version(own)
    yield fine("engine", f"{own.clip} by {own.engine} in {own.precision} on {own.device}")
    content = f"{held.items} items, {held.labels} labels, engine {held.engine}, from {held.source}"
    if not held.items:
        yield fault("knowledge base", content, "add items: semlink kb add, or build one: semlink kb build")
    else:
        yield fine("knowledge base", content)
    if own.clip_fingerprint != held.clip_fingerprint:
        remedy = f"start both with one CLIP, or build one for {own.clip}: semlink kb build SOURCE --out FOLDER"
        yield fault("CLIP", f"the transmitter runs {own.clip}, the knowledge base was made with {held.clip}", remedy)


def _version(own: TransmitterInfo) -> Finding:
    if own.version == VERSION:
        return fine("version", f"the transmitter is {own.version}, as this command")
    return fault("version", f"the transmitter is {own.version}, this command {VERSION}", "install one version for both")


def channel(asked: Asked) -> Iterator[Finding]:
    """What the channel does to every picture."""
    with ChannelControl(asked.addresses["channel"], _SECONDS) as control:
        settings, schedule = control.get(), control.scheduled()
    text = f"{settings.snr_db:g} dB, fading {settings.fading}"
    yield fine("channel", text if schedule.schedule is None else f"{text}, schedule {schedule.schedule.name}")


def picture(asked: Asked) -> Iterator[Finding]:
    """One picture through all three services and the channel as it is, with a random draw of its own."""
    from PIL import Image  # noqa: PLC0415 - only here

    file = io.BytesIO()
    Image.radial_gradient("L").save(file, "PNG")
    try:
        with SemLink(asked.addresses["transmitter"], _PICTURE_SECONDS) as link:
            delivery = link.send(file.getvalue(), stream=_STREAM, counter=0)
    except Lost as error:
        yield note("a picture", str(error), "semlink channel reset, unless losses are wanted")
        return
    yield fine("a picture", f"arrived in {1e3 * delivery.total_seconds:.1f} ms by {delivery.codec}, k = {delivery.k}")
