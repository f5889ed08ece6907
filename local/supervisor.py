"""The three services as processes of this machine.

    receiver <-- channel_proxy <-- transmitter     each on its own port of the loopback interface

Every service writes HOST:PORT to its announce file when its port is bound, before its warm-up, so that the three warm
up side by side. They are ready when gRPC health says SERVING.
"""

import math
import shutil
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Self

from client.client import SemLink
from client.knowledge_base import KnowledgeBaseClient
from local.service_process import ServiceProcess, command_line
from shared.errors import Mismatch, Unavailable
from shared.files import said

RECEIVER, CHANNEL, TRANSMITTER = "receiver", "channel_proxy", "transmitter"
SERVICES = (RECEIVER, CHANNEL, TRANSMITTER)
_POLL_SECONDS = 0.2
OnState = Callable[[str, str], None]  # service, "starting" | "warming up" | "ready"


@dataclass(frozen=True)
class LinkPlan:
    """What to start.

    knowledge_base: folder of the knowledge base. source: what the receiver builds it from when the folder holds none;
    None for an existing one. renew: build it again from the source when it was made with another CLIP, as after an
    update of the weights; only for a folder that nobody else fills. directory: for logs. ports: by service, 0 or absent
    for any. flags: by service, further command line flags. timeout: seconds until all must be ready; a service
    whose log goes on is waited for longer. read_only: the receiver only reads its knowledge base, which another link
    may be using.
    """

    knowledge_base: Path
    directory: Path
    source: str | None = "drawn"
    renew: bool = False
    ports: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timeout: float = 180.0
    read_only: bool = False


class LocalLink:
    """The running link, as a context manager.

        with LocalLink(LinkPlan(Path("out/kb"), Path("out/logs"))) as link, SemLink(link.transmitter) as client:
            client.send("cat.jpg")

    on_state: told of each service's state. meanwhile: called again and again while it is waited for; may raise.
    transmitter, channel, receiver: addresses, HOST:PORT. services: the processes, by name.
    """

    def __init__(
        self,
        plan: LinkPlan,
        on_state: OnState = lambda _name, _state: None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.plan = plan
        self.services: dict[str, ServiceProcess] = {}
        self.transmitter = self.channel = self.receiver = ""
        self._on_state, self._meanwhile = on_state, meanwhile

    @property
    def addresses(self) -> dict[str, str]:
        """HOST:PORT by service."""
        return {"transmitter": self.transmitter, "channel": self.channel, "receiver": self.receiver}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the services and wait until all are ready; on any failure all are stopped again.

        Raises Unavailable for a service that ended, with its reason, or was not ready in time; Mismatch for a knowledge
        base of another CLIP that may not be built again.
        """
        check_ports(self.plan.ports)
        self.plan.directory.mkdir(parents=True, exist_ok=True)
        deadline = monotonic() + self.plan.timeout
        try:
            plan = self.plan
            knowledge_base = command_line(kb=plan.knowledge_base, kb_source=plan.source, read_only=plan.read_only)
            self.receiver = self._start(RECEIVER, knowledge_base, deadline)
            self.channel = self._start(CHANNEL, command_line(receiver_address=self.receiver), deadline)
            self.transmitter = self._start(TRANSMITTER, command_line(channel_address=self.channel), deadline)
            self.wait_ready(deadline=deadline)
            self._match_clips(deadline)
        except BaseException:
            self.stop()
            raise

    def wait_ready(self, names: Iterable[str] = SERVICES, deadline: float = math.inf) -> None:
        """Wait until gRPC health of the services says SERVING. deadline: on the monotonic clock.

        Raises Unavailable with the end of the log of a service that ended or was not ready in time.
        """
        pool = ThreadPoolExecutor(len(SERVICES))
        waiting = {pool.submit(self.services[name].wait_ready, deadline): name for name in names}
        try:
            while waiting:
                for done in wait(waiting, _POLL_SECONDS, FIRST_COMPLETED).done:
                    done.result()
                    self._on_state(waiting.pop(done), "ready")
                self._meanwhile()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # a thread ends when its service does

    def check(self) -> None:
        """Raise Unavailable if a service has ended, or what `meanwhile` raises."""
        self._meanwhile()
        for service in self.services.values():
            service.check()

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the services, from the client's side on; after the grace period by SIGKILL."""
        deadline = monotonic() + grace_seconds
        for name in reversed(list(self.services)):
            self.services[name].terminate()
        for service in self.services.values():
            service.wait(deadline - monotonic())

    def _start(self, name: str, flags: Sequence[str], deadline: float) -> str:
        """Start one service; its address, as soon as the system has given it one."""
        port = self.plan.ports.get(name, 0)
        further = self.plan.flags.get(name, ())
        service = ServiceProcess(name, self.plan.directory, [*flags, *further], port)
        self.services[name] = service
        self._on_state(name, "starting")
        service.start()
        address = service.address(deadline, self.check)
        self._on_state(name, "warming up")
        return address

    def _match_clips(self, deadline: float) -> None:
        """Build a knowledge base of another CLIP again where the plan allows it. Raises Mismatch where it does not."""
        with SemLink(self.transmitter) as near, KnowledgeBaseClient(self.receiver) as far:
            own, held = near.describe(), far.describe()
        if own.clip_fingerprint == held.clip_fingerprint:
            return
        if self.plan.renew:
            self._rebuild_knowledge_base(deadline)
            return
        folder = self.plan.knowledge_base
        other = held.clip if held.clip != own.clip else f"{held.clip} with other weights ({held.clip_fingerprint})"
        raise Mismatch(
            f"the knowledge base {folder} was made with {other}, the link runs {own.clip}: start it with "
            f"`semlink up --kb {folder} --clip {held.clip} --weights FILE|TAG --codec raw`, with the weights that made "
            f"it, or build one for {own.clip} with `semlink kb build SOURCE --out FOLDER`"
        )

    def _rebuild_knowledge_base(self, deadline: float) -> None:
        service = self.services[RECEIVER]
        self._on_state(RECEIVER, "rebuilding its knowledge base for another CLIP")
        service.terminate()
        service.wait(deadline - monotonic())
        shutil.rmtree(self.plan.knowledge_base)
        service.start()
        self.wait_ready([RECEIVER], deadline)


def check_ports(ports: Mapping[str, int]) -> None:
    """Raise Unavailable for a port that is taken, before anything is loaded. The services check again."""
    for name, port in ports.items():
        if not port:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            raise Unavailable(
                f"{name} cannot listen on 127.0.0.1:{port}: {said(error)}; `semlink down` stops a link of yours, "
                f"--{name.removesuffix('_proxy')}-port 0 takes any free port"
            ) from error
