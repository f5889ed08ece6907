"""Every value that the channel's settings accept, by field."""

import math
import re
from typing import get_args

from hypothesis import strategies as st

from shared.phy import ChannelSettings

WORD = (1 << 64) - 1


FIELDS = ChannelSettings.model_fields


RANGE = re.compile(r"(-?\d[\d.e+-]*) to (-?\d[\d.e+-]*)(, or inf)?")


OTHERS = {"fft_size": "a power of 2, 16 to 4096", "blackout": "true or false", "seed": "0 to 2^64 - 1"}


def _ranges(kind, or_inf=False):
    """Ends of the range in the description of each setting of this type, but for `OTHERS`."""
    fields = {name: field for name, field in FIELDS.items() if field.annotation is kind and name not in OTHERS}
    found = {name: RANGE.search(field.description).groups() for name, field in fields.items()}
    return {name: (kind(low), kind(high)) for name, (low, high, inf) in found.items() if bool(inf) == or_inf}


NUMBERS = _ranges(float)


NUMBERS_OR_INF = _ranges(float, or_inf=True)


COUNTS = _ranges(int)


CHOICES = {name: names for name, field in FIELDS.items() if (names := get_args(field.annotation))}


POWERS_OF_2 = [1 << i for i in range(4, 13)]


ACCEPTED = (
    {name: st.floats(*ends) for name, ends in NUMBERS.items()}
    | {name: st.floats(*ends) | st.just(math.inf) for name, ends in NUMBERS_OR_INF.items()}
    | {name: st.integers(*ends) for name, ends in COUNTS.items()}
    | {name: st.sampled_from(names) for name, names in CHOICES.items()}
    | {"fft_size": st.sampled_from(POWERS_OF_2), "blackout": st.booleans(), "seed": st.integers(0, WORD)}
)
