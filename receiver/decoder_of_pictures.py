"""From received symbols to embeddings where pictures travel: the codec, then the receiver's own CLIP.

x_hat, n0_eff --codec--> pixels, grey for what did not arrive --CLIP--> e_hat [512]
"""

from collections.abc import Callable
from time import perf_counter

from receiver.decoder import Arrived, Equalized
from shared.codecs import Decoded, PictureCodec
from shared.errors import NotFound
from shared.ledger import Entry, Stage
from shared.types import Embeddings, Pixels

EmbedPictures = Callable[[Pixels], Embeddings]
"""Pictures [B, 32, 32, 3], uint8, to embeddings [B, 512] of unit length."""


def decode_pictures(codec: PictureCodec, equalized: Equalized, embed: EmbedPictures) -> Arrived:
    """Pictures of a batch, and what CLIP makes of them."""
    start = perf_counter()
    pictures = codec.decode(equalized.x_hat, equalized.n0_eff)
    middle = perf_counter()
    decoded = Decoded(embed(pictures.pixels))
    ledger = (Entry(Stage.DECODE, middle - start), Entry(Stage.EMBED, perf_counter() - middle))
    return Arrived(decoded, pictures.missing, ledger)


def without_clip(_: Pixels) -> Embeddings:
    """What a receiver without a CLIP does with pictures. Raises NotFound."""
    raise NotFound("pictures arrived and this receiver has no CLIP to embed them: give it one, or send embeddings")
