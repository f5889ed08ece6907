"""The points of `semlink evaluate ask`, and what all of them share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from lab.evaluate.ask.clip_sight import sight_named
from shared.clip.name import SCENES as CLIP_SCENES
from shared.codecs.answerers import Answerer
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.base.weight_files import weights_path
from shared.codecs.picture.link_adaptation import Adaptation
from shared.codecs.query.klt import Klt, block_code
from shared.codecs.query.sight import JUDGE, Sight
from shared.codecs.query.source import Source
from shared.codecs.query.transform import BlockCode
from shared.codecs.query.uo_isc import TokenSource
from shared.phy.conditions.settings import FadingName

BITS: Final = (96, 192, 384, 768)
SNRS_DB: Final = (-4.0, 0.0, 4.0, 8.0, 12.0, 16.0)
BITS_ON_AIR: Final = 384
SCENES: Final = {"seen": 180, "unseen-combinations": 220, "unseen-shapes": 220}
"""Of each split, with a little more than 1,000 questions."""
AGNOSTIC: Final = Klt.name
"""The code that does not know the question."""

ANSWER: Final = "answer-digital"
"""The answer itself; no picture."""
SYMBOLS: Final = "symbol-list"
"""Of as many bits as there are objects."""
RETRIEVED: Final = "nested-kb"
"""The nearest picture of a knowledge base of scenes."""

HARQ: Final = "-harq"
"""Behind the name of a codec: a lost block is sent again, at most `RETRANSMITTED` times (Chase combining)."""
RETRANSMITTED: Final = 3
LONG: Final = "-long"
"""Behind the name of a codec: in bursts of `LENGTHENED` times the symbols, which a fade of 9 dB leaves enough of."""
LENGTHENED: Final = 8

OF_BITS: Final = (AGNOSTIC, "klt-relevance", "uo-isc", "klt-random")
_REPEATED: Final = tuple(f"{codec}{HARQ}" for codec in ("klt-relevance", "uo-isc"))
_LONG: Final = tuple(f"{codec}{LONG}" for codec in ("klt-relevance", "uo-isc"))
UNCODED: Final = "-8psk"
"""Behind the name of a codec: its bits without any code, in 8-PSK with hard decisions."""
_UNCODED: Final = tuple(f"{codec}{UNCODED}" for codec in ("klt-relevance", "uo-isc", "uo-isc-channel"))
ON_AIR: Final = ("klt-relevance", "uo-isc", *_REPEATED, *_LONG, *_UNCODED, ANSWER, SYMBOLS, RETRIEVED)
ABLATIONS: Final = {
    "uo-isc-unaligned": JUDGE,
    "uo-isc-no-intent": JUDGE,
    "uo-isc-adversary": JUDGE,
    "uo-isc-clip": CLIP_SCENES,
    "uo-isc-channel": JUDGE,
}
"""Trainings of `uo-isc` without alignment, without the intent, with an adversary, with CLIP's towers, and through a
channel with wrong bits; and whose towers each sees with. See `lab.train.uo_isc`."""
REFERENCE: Final = dict.fromkeys(OF_BITS, AGNOSTIC) | dict.fromkeys(ABLATIONS, "uo-isc")
"""What a scheme's gain is measured against, at equal bits."""
_ABLATED: Final = ("seen", "unseen-combinations")
_RIVALS: Final = {
    "uo-isc-random": (192, 384),
    "downscaled": BITS,
    "webp": (768, 1536),
    "jpeg2000": (1536, 3072),
    "hevc": (384, 768, 1536),
    "hevc-crop": (384, 768),
    RETRIEVED: (0,),
}
_FADINGS: Final[tuple[FadingName, ...]] = ("none", "rayleigh")
SPLITS: Final = tuple(SCENES)
_VERSION: Final = 5
"""Of the measuring itself. Raise it when the same point would give another row."""


@dataclass(frozen=True)
class AskPoint:
    """One point. snr_db: None for error-free bits. fading: block fading; the design SNR is the average SNR."""

    split: str
    scheme: str
    bits: int
    scenes: int
    snr_db: float | None = None
    fading: FadingName = "none"


@dataclass(frozen=True, eq=False)
class AskLab:
    """All that points share."""

    code: BlockCode
    tokens: TokenSource
    ablations: Mapping[str, TokenSource]
    judge: Answerer
    witness: Answerer
    adaptation: Adaptation

    @classmethod
    def load(cls) -> "AskLab":
        """The shipped parameters. Raises NotFound without them."""
        judge = Answerer.load("judge")
        ablations = {name: _tokens(name, judge, sight_named(tower, judge)) for name, tower in ABLATIONS.items()}
        tokens = _tokens("uo-isc", judge)
        return cls(block_code(), tokens, ablations, judge, Answerer.load("witness"), Adaptation.load())

    def fingerprint(self, scheme: str) -> str:
        """Of all that a point of a scheme depends on."""
        usual: Source | BlockCode = self.tokens if scheme.startswith("uo-isc") else self.code
        own = self.ablations.get(scheme.removesuffix(UNCODED), usual)
        parts = (str(_VERSION), own.fingerprint, self.judge.fingerprint, self.witness.fingerprint)
        return fingerprint_of(part.encode() for part in parts)


def _tokens(name: str, judge: Answerer, sight: Sight | None = None) -> TokenSource:
    return TokenSource.from_file(weights_path(name, "model.safetensors"), judge, sight=sight)


def points() -> Iterator[AskPoint]:
    """All points: error-free at several rates, then over channels at one."""
    for split, scenes in SCENES.items():
        schemes = OF_BITS if split == "seen" else OF_BITS[:-1]
        yield from (AskPoint(split, scheme, bits, scenes) for bits, scheme in product(BITS, schemes))
        yield from (AskPoint(split, scheme, 0, scenes) for scheme in (SYMBOLS, ANSWER))
    for split, bits, scheme in product(_ABLATED, BITS, ABLATIONS):
        yield AskPoint(split, scheme, bits, SCENES[split])
    scenes = SCENES["seen"]
    yield from (AskPoint("seen", scheme, bits, scenes) for scheme, rates in _RIVALS.items() for bits in rates)
    for fading, scheme, snr_db in product(_FADINGS, ON_AIR, SNRS_DB):
        if scheme in _LONG and fading == "none":
            continue  # nothing fades
        bits = 0 if scheme in (ANSWER, SYMBOLS, RETRIEVED) else BITS_ON_AIR
        yield AskPoint("seen", scheme, bits, scenes, snr_db, fading)
