"""Codecs of pictures as schemes. What arrives is embedded by CLIP, as the receiver would.

pixels --encode--> x --air--> x_hat --decode--> pixels --CLIP--> e_hat
"""

from time import perf_counter
from typing import Final

import numpy as np

from lab.evaluate.bpg import BpgLdpc
from lab.evaluate.cost import Cost, cost_of
from lab.evaluate.scheme import Arrival, Batch, CannotExist, Setting, check_length, expected_fading, mode_of
from lab.simulate.air import Air
from shared.clip import Clip, embed_pictures
from shared.codecs import Decoded, PictureCodec
from shared.codecs.base.picture import DecodedPictures, fit_pictures
from shared.codecs.picture.ldpc import HevcLdpc, JpegLdpc, PictureLdpc, WebpLdpc
from shared.codecs.picture.link_adaptation import MCS, Adaptation
from shared.errors import InvalidSetting
from shared.types import Bools

DIGITAL: Final[dict[str, type[PictureLdpc]]] = {kind.name: kind for kind in (JpegLdpc, WebpLdpc, HevcLdpc, BpgLdpc)}


class PictureScheme:
    """A codec of pictures; sender and receiver are two instances."""

    genie: tuple[str, ...] = ()

    def __init__(self, sender: PictureCodec, receiver: PictureCodec, clip: Clip) -> None:
        self.k = sender.k
        self.fingerprint = f"{sender.fingerprint}-{clip.fingerprint}"
        self._sender, self._receiver, self._clip = sender, receiver, clip

    @classmethod
    def of(cls, kind: type[PictureCodec], k: int, setting: Setting) -> "PictureScheme":
        """The scheme of a codec with its shipped parameters. Raises CannotExist for a length that it does not have."""
        check_length(kind, k)
        return cls(kind.load(k, "cpu"), kind.load(k, "cpu"), setting.clip)

    @property
    def cost(self) -> Cost:
        """See `Scheme.cost`; without CLIP, which every receiver of pictures needs."""
        return cost_of(self._sender)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """See `Scheme.send`."""
        sender, pixels = self._sender.for_fading(expected_fading(air)), fit_pictures(batch.pixels)
        told = batch.operating_point()
        start = perf_counter()
        x = sender.encode(pixels, told)
        encode_seconds = perf_counter() - start
        receiver = self._receiver.with_mode(mode_of(sender, told))
        equalized = air.carry(x, receiver.equalizer)
        start = perf_counter()
        pictures = receiver.decode(equalized.x_hat, equalized.n0_eff)
        embeddings = embed_pictures(pictures.pixels, self._clip)
        seconds = perf_counter() - start
        return Arrival(Decoded(embeddings), encode_seconds, seconds, self._lost(pictures), pictures.pixels)

    def _lost(self, pictures: DecodedPictures) -> Bools | None:  # noqa: ARG002 - for those with messages
        """Which pictures did not arrive: [B]; None for a codec without messages."""
        return None


class DigitalPictures(PictureScheme):
    """A format over LDPC and QAM, each picture a file of its own."""

    def __init__(self, k: int, setting: Setting, adaptation: Adaptation | None = None) -> None:
        """adaptation: the shipped one by default. Any k is taken, so that a table shows where nothing exists."""
        kind, table = DIGITAL[setting.name], adaptation or Adaptation.load()
        kind.format.require()
        try:
            super().__init__(kind(k, table), kind(k, table), setting.clip)
        except InvalidSetting as error:
            raise CannotExist(str(error)) from error

    @property
    def cost(self) -> Cost:
        """Nothing was learned, and nothing is multiplied in a network."""
        return Cost(0, 0)

    def send(self, batch: Batch, air: Air) -> Arrival:
        """See `Scheme.send`. Raises CannotExist where no picture of the batch has a file as small as a burst."""
        arrival = super().send(batch, air)
        sender = self._sender.for_fading(expected_fading(air))
        assert isinstance(sender, PictureLdpc)
        mode = mode_of(sender, batch.operating_point())
        if not any(sender.files(fit_pictures(batch.pixels), mode)):
            raise CannotExist(f"no picture has a {sender.format.name} file as small as a burst of {MCS[mode]}")
        return arrival

    def _lost(self, pictures: DecodedPictures) -> Bools:
        return np.array([bool(why) for why in pictures.missing])
