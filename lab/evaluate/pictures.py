"""Codecs of pictures as schemes. What arrives is embedded by CLIP, as the receiver would.

pixels --encode--> x --chain--> x_hat --decode--> pixels --CLIP--> e_hat
"""

from time import perf_counter
from typing import Final

import numpy as np

from lab.evaluate.bpg import BpgLdpc
from lab.evaluate.cost import Cost
from lab.evaluate.scheme import Arrival, Batch, CannotExist, CodecScheme, Setting, expected_fading, mode_of
from lab.simulate.chain import Chain
from receiver.decoder import Equalized
from shared.clip import Clip, embed_pictures
from shared.codecs import AnyCodec, Decoded, PictureCodec
from shared.codecs.base.contract import DesignSnr
from shared.codecs.base.picture import DecodedPictures, fit_pictures
from shared.codecs.picture.ldpc import HevcLdpc, JpegLdpc, PictureLdpc, WebpLdpc
from shared.codecs.picture.link_adaptation import MCS, Adaptation
from shared.errors import InvalidSetting
from shared.types import Bools, Pixels

DIGITAL: Final[dict[str, type[PictureLdpc]]] = {kind.name: kind for kind in (JpegLdpc, WebpLdpc, HevcLdpc, BpgLdpc)}


class PictureScheme(CodecScheme):
    """A codec of pictures. Its cost is without CLIP, which every receiver of pictures needs."""

    def __init__(self, sender: PictureCodec, receiver: PictureCodec, clip: Clip) -> None:
        super().__init__(sender, receiver)
        self.fingerprint = f"{sender.fingerprint}-{clip.fingerprint}"
        self._clip = clip

    def _given(self, batch: Batch) -> Pixels:
        return fit_pictures(batch.pixels)

    def _expected(self, batch: Batch, chain: Chain) -> DesignSnr | None:  # noqa: ARG002 - tables know of fading
        return batch.design_snr_db()

    def _arrival(self, receiver: AnyCodec, batch: Batch, equalized: Equalized) -> Arrival:  # noqa: ARG002
        assert isinstance(receiver, PictureCodec)
        start = perf_counter()
        pictures = receiver.decode(equalized.x_hat, equalized.n0_eff)
        embeddings = embed_pictures(pictures.pixels, self._clip)
        seconds = perf_counter() - start
        return Arrival(Decoded(embeddings), 0.0, seconds, self._missing(pictures), pictures.pixels)

    def _missing(self, pictures: DecodedPictures) -> Bools | None:  # noqa: ARG002 - for those with messages
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

    def send(self, batch: Batch, chain: Chain) -> Arrival:
        """See `Scheme.send`. Raises CannotExist where no picture of the batch has a file as small as a burst."""
        arrival = super().send(batch, chain)
        sender = self._sender.for_fading(expected_fading(chain))
        assert isinstance(sender, PictureLdpc)
        mode = mode_of(sender, batch.design_snr_db())
        if not any(sender.files(fit_pictures(batch.pixels), mode)):
            raise CannotExist(f"no picture has a {sender.format.name} file as small as a burst of {MCS[mode]}")
        return arrival

    def _missing(self, pictures: DecodedPictures) -> Bools:
        return np.array([bool(why) for why in pictures.missing])
