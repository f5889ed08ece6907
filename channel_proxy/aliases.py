"""Other numbers for those of the sender, so that a receiver learns nothing of them."""

import secrets
from hashlib import blake2b

_BITS = (1 << 63) - 1


class Aliases:
    """Numbers of 63 bits: the same for the same number, and without a pattern but for who holds the key.

    Transmitters count their bursts up, and so do the counters of the draws: a receiver that sees the one knows the
    other, and with the channel's seed the noise.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def of(self, number: int) -> int:
        """The alias of a number, 0 to 2^64 - 1; 0, which means none, stays 0."""
        if not number:
            return 0
        digest = blake2b(number.to_bytes(8, "little"), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "little") & _BITS or 1
