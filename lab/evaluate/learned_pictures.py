"""Pictures over a learned codec: `deepjscc`, `swinjscc`. What arrives is embedded by CLIP, as the receiver would.

pixels --encode--> x --air--> x_hat --decode--> pixels --CLIP--> e_hat
"""

from time import perf_counter

from lab.evaluate.air import Air
from lab.evaluate.cost import Cost, cost_of
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting
from lab.mcs import embed
from shared.clip import Clip
from shared.codecs import Decoded
from shared.codecs.jscc import PictureCodec, picture_codec_class


class LearnedPictures:
    """A codec of pictures as a scheme; sender and receiver are two instances."""

    genie: tuple[str, ...] = ()

    def __init__(self, sender: PictureCodec, receiver: PictureCodec, clip: Clip) -> None:
        self.k = sender.k
        self.fingerprint = f"{sender.fingerprint}-{clip.fingerprint}"
        self._sender, self._receiver, self._clip = sender, receiver, clip

    @property
    def cost(self) -> Cost:
        """See `Scheme.cost`; without CLIP, which every receiver of pictures needs."""
        return cost_of(self._sender)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """See `Scheme.send`."""
        start = perf_counter()
        x = self._sender.encode(batch.pixels, batch.operating_point())
        encode_seconds = perf_counter() - start
        equalized = air.carry(x, self._receiver.equalizer)
        start = perf_counter()
        pixels = self._receiver.decode(equalized.x_hat, equalized.n0_eff)
        embeddings = embed(pixels, self._clip)
        return Arrival(Decoded(embeddings), encode_seconds, perf_counter() - start, pixels=pixels)


def shipped(k: int, setting: Setting) -> LearnedPictures:
    """The scheme of a shipped codec. Raises CannotExist for a length that it does not have."""
    kind = picture_codec_class(setting.name)
    if k not in kind.lengths:
        raise CannotExist(f"codec {kind.name} has no length k = {k}; it has {', '.join(map(str, kind.lengths))}")
    return LearnedPictures(kind.load(k, "cpu"), kind.load(k, "cpu"), setting.clip)
