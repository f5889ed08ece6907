"""Ready embeddings of a file, to be sent in place of pictures."""

from pathlib import Path

from cli.lazy import load
from client.pictures import ready_embedding
from shared.errors import InvalidSetting, Mismatch
from shared.frame.delivery import ReadyEmbedding


def embeddings_in(file: Path, clip_fingerprint: str | None) -> list[tuple[str, ReadyEmbedding]]:
    """The embeddings of an .npy (one, or [N, D]), .npz or Parquet file, each with what it is called.

    Raises InvalidSetting where neither file nor `clip_fingerprint` names the CLIP, Mismatch where they differ.
    """
    source = load("shared.datasets:open_embeddings")(file)
    said = source.clip_fingerprint
    if said and clip_fingerprint and said != clip_fingerprint:
        raise Mismatch(f"--clip-fingerprint {clip_fingerprint}, but {file} was made by {said}: leave the option out")
    if not (said or clip_fingerprint):
        raise InvalidSetting(
            f"{file} does not say which CLIP made it: give --clip-fingerprint HEX, which `semlink features --json`, "
            "`semlink kb info` and the transmitter name; embeddings of another CLIP mean something else"
        )
    return [(item.id, ready_embedding(item.embedding, said or clip_fingerprint)) for item in source]
