"""`python -m lab.bench.instant_receiver`: a receiver that answers at once, for the benchmark of what lies before it."""

from typing import Any

from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.frame.burst import Hit, Reception
from shared.rpc.main import main
from shared.wire.link import reception_to_wire

_TOP = tuple(Hit(f"item-{place}", "label", 0.1 * place) for place in range(5))


class InstantReceiver(ReceiverService):
    """Decodes nothing and searches nothing."""

    async def start(self) -> None:
        """Nothing to load."""

    async def _answer(self, message: Any) -> Any:
        return reception_to_wire(Reception(message.burst_id, _TOP, 0.9, True, "", (), 1e-6, "none"))


if __name__ == "__main__":
    main("python -m lab.bench.instant_receiver", ReceiverSettings, InstantReceiver)
