"""What passes the channel, counted."""

from dataclasses import dataclass

from shared.phy import Transmission


@dataclass(slots=True)
class Counts:
    """Counts since the start; fields as in ChannelStatistics, powers as sums over the bursts that were computed."""

    bursts: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    failed: int = 0
    resets: int = 0
    computed: int = 0
    signal_power: float = 0.0
    noise_power: float = 0.0


class Counters:
    """The counts, and how many bursts are inside now."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.in_flight = 0

    def enter(self) -> None:
        """Count a burst."""
        self.counts.bursts += 1
        self.in_flight += 1

    def leave(self) -> None:
        """It is answered, or given up."""
        self.in_flight -= 1

    def computed(self, transmission: Transmission) -> None:
        """Count the powers of a burst."""
        counts = self.counts
        counts.computed += 1
        counts.signal_power += transmission.signal_power
        counts.noise_power += transmission.noise_power
