"""Codecs: round trips, unit power, fingerprints, what cannot be loaded."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lab.evaluate.cost import cost_of
from shared.codecs import CODECS, AnyCodec, Codec, CodecShelf, codec_class
from shared.codecs.base.contract import fingerprint_of, to_latent, to_symbols
from shared.codecs.base.weight_files import WEIGHTS_DIR
from shared.codecs.digital.vq import ModeTable, VqDigital
from shared.codecs.embedding.kbsc import Kbsc
from shared.codecs.embedding.raw import Raw
from shared.codecs.picture.link_adaptation import MCS
from shared.errors import DataLoss, InvalidInput, InvalidSetting, InvalidSymbols, Mismatch, NotFound
from shared.types import Embeddings
from tests.tools.kbsc import codec_of, network, saved
from tests.tools.paths import ROOT

MODES = ROOT / "assets" / "vq-digital" / "modes.json"
UNKNOWN_NOISE = np.full(8, np.nan, np.float32)


@pytest.fixture(scope="module")
def embeddings() -> Embeddings:
    drawn = np.random.default_rng(1).normal(size=(8, 512))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["raw", "kbsc-16", "kbsc-64", "kbsc-256"])
def codec(request: pytest.FixtureRequest) -> Codec:
    name, _, k = request.param.partition("-")
    return Raw() if name == "raw" else codec_of(network(int(k)), "c0ffee")


def test_symbols_have_unit_power_per_burst_whatever_the_length_of_the_embedding(codec, embeddings) -> None:
    for scale in (1, 1e-3, 40):
        x = codec.encode(embeddings * np.float32(scale))
        assert (x.shape, x.dtype) == ((8, codec.k // 2), np.complex64)
        np.testing.assert_allclose(np.mean(np.abs(x.astype(np.complex128)) ** 2, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_each_gives_alone(codec, embeddings) -> None:
    """Tolerance: rounding of float32 sums of 512 terms in another order."""
    x = codec.encode(embeddings)
    e_hat = codec.decode(x, UNKNOWN_NOISE).embeddings
    assert (e_hat.shape, e_hat.dtype) == ((8, 512), np.float32)
    for row in range(8):
        np.testing.assert_allclose(codec.encode(embeddings[row : row + 1])[0], x[row], atol=2e-5)
        alone = codec.decode(x[row : row + 1], UNKNOWN_NOISE[:1]).embeddings[0]
        np.testing.assert_allclose(alone, e_hat[row], atol=2e-5 * np.abs(e_hat).max())


def test_encoding_and_decoding_leave_their_input_alone(codec, embeddings) -> None:
    before = embeddings.copy()
    x = codec.encode(embeddings)
    kept = x.copy()
    codec.decode(x, UNKNOWN_NOISE)
    assert np.array_equal(embeddings, before)
    assert np.array_equal(x, kept)


def test_raw_is_lossless_without_a_channel(embeddings) -> None:
    codec = Raw()
    e_hat = codec.decode(codec.encode(embeddings), UNKNOWN_NOISE).embeddings
    np.testing.assert_allclose(e_hat, embeddings, atol=1e-6)


def test_raw_refuses_an_embedding_without_a_direction() -> None:
    with pytest.raises(InvalidSymbols, match="no power"):
        Raw().encode(np.zeros((1, 512), np.float32))


def test_kbsc_pairs_neighbours_of_one_latent(embeddings) -> None:
    made = network(16)
    with torch.inference_mode():
        latent = made.encoder(torch.from_numpy(embeddings)).numpy()
    x = codec_of(made).encode(embeddings)
    scale = np.linalg.norm(latent, axis=1, keepdims=True) / np.sqrt(8)
    np.testing.assert_allclose(x * scale, latent[:, ::2] + 1j * latent[:, 1::2], rtol=1e-4, atol=1e-5)


def test_kbsc_decodes_as_its_network(embeddings) -> None:
    made = network(16)
    x = codec_of(made).encode(embeddings)
    with torch.inference_mode():
        wanted = made.decode(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(codec_of(made).decode(x, np.ones(x.shape, np.float32)).embeddings, wanted, atol=1e-4)


def test_pairing_is_undone() -> None:
    latent = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert to_symbols(latent)[1, 2] == 10 + 11j
    assert np.array_equal(to_latent(to_symbols(latent)), latent)


def test_a_saved_network_is_the_same_codec(tmp_path: Path, embeddings) -> None:
    made = network()
    loaded = Kbsc.from_file(saved(tmp_path / "a.safetensors", made), "cpu")
    assert (loaded.k, loaded.clip_fingerprint) == (64, "c0ffee")
    assert loaded.fingerprint == codec_of(made).fingerprint
    assert np.array_equal(loaded.encode(embeddings), codec_of(made).encode(embeddings))


def test_a_fingerprint_is_of_the_parameters_alone(tmp_path: Path) -> None:
    made = network()
    first = Kbsc.from_file(saved(tmp_path / "a", made), "cpu").fingerprint
    assert Kbsc.from_file(saved(tmp_path / "b", made, clip="other", note="x"), "cpu").fingerprint == first
    with torch.no_grad():
        made.decoder[0].bias[3] += 1e-4
    assert Kbsc.from_file(saved(tmp_path / "c", made), "cpu").fingerprint != first
    assert len(first) == 16
    assert int(first, 16) >= 0


def test_parts_of_a_fingerprint_do_not_run_into_each_other() -> None:
    assert fingerprint_of([b"ab", b"c"]) != fingerprint_of([b"a", b"bc"])


def test_the_fingerprint_of_raw_never_changes() -> None:
    assert Raw.fingerprint == "1df57f8648a98164"


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _not_safetensors(path: Path) -> None:
    path.write_bytes(b"\x80\x04not safetensors" * 9)


def _of_another_k(path: Path) -> None:
    saved(path, network(64), k="256")


def _without_metadata(path: Path) -> None:
    save_file(network().state_dict(), path)


def _with_a_part_missing(path: Path) -> None:
    state = network().state_dict()
    save_file({key: value for key, value in state.items() if not key.startswith("decoder.0")}, path, {"k": "64"})


def _with_nothing_in_it(path: Path) -> None:
    path.write_bytes(b"")


def _with_a_wrong_k(path: Path) -> None:
    saved(path, network(), k="sixty-four")


def _with_a_value_that_is_none(path: Path) -> None:
    made = network()
    with torch.no_grad():
        made.encoder[0].weight[0, 0] = float("nan")
    saved(path, made)


DAMAGES = [
    _truncated, _not_safetensors, _of_another_k, _without_metadata, _with_a_part_missing, _with_nothing_in_it,
    _with_a_wrong_k, _with_a_value_that_is_none,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_file_is_named(tmp_path: Path, damage) -> None:
    path = saved(tmp_path / "k64.safetensors", network())
    damage(path)
    with pytest.raises(DataLoss, match=r"k64\.safetensors"):
        Kbsc.from_file(path, "cpu")


def test_missing_weights_say_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shared.codecs.base.weight_files.files", lambda _: tmp_path)
    with pytest.raises(NotFound, match="semlink train"):
        Kbsc.load(64, "cpu")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CodecShelf:
    """A shelf for CLIP c0ffee; the kbsc of k = 16 was trained on another."""
    (tmp_path / "kbsc").mkdir()
    for k, clip in ((16, "other"), (64, "c0ffee"), (256, "c0ffee")):
        saved(tmp_path / "kbsc" / f"k{k}.safetensors", network(k), clip)
    monkeypatch.setenv(WEIGHTS_DIR, str(tmp_path))
    return CodecShelf("cpu", "c0ffee")


def test_the_shelf_loads_once_and_knows_defaults(shelf: CodecShelf) -> None:
    assert shelf.get("kbsc") is shelf.get("kbsc", 64)
    assert shelf.get("raw").k == 512


def test_the_shelf_offers_what_fits_its_clip(shelf: CodecShelf) -> None:
    assert ("kbsc", 16) not in [(codec.name, codec.k) for codec in shelf.load_all()]
    with pytest.raises(Mismatch, match=r"trained on CLIP other.*c0ffee"):
        shelf.get("kbsc", 16)


@pytest.mark.parametrize(
    ("name", "k", "kind", "text"),
    [
        ("kbsc", 0, InvalidSetting, "k = 0; it has 16, 64, 256"),
        ("kbsc", 63, InvalidSetting, "k = 63"),
        ("kbsc", 2**32 - 1, InvalidSetting, "k = 4294967295"),
        ("raw", 64, InvalidSetting, "k = 64; it has 512"),
        ("jpeg", None, NotFound, "no codec 'jpeg'"),
        ("", None, NotFound, "no codec ''"),
        ("../raw", None, NotFound, "no codec"),
    ],
)
def test_what_the_shelf_does_not_have_is_named(shelf: CodecShelf, name, k, kind, text) -> None:
    with pytest.raises(kind, match=text.replace("..", r"\.\.")):
        shelf.get(name, k)


@pytest.mark.parametrize("name", CODECS)
def test_every_row_of_the_table_is_a_codec_with_a_default(name: str) -> None:
    kind = codec_class(name)
    assert issubclass(kind, AnyCodec)
    assert kind.name == name
    assert kind.default_k in kind.lengths
    assert all(k % 2 == 0 for k in kind.lengths)


def test_what_a_header_says_of_a_codec_fits_into_its_bits() -> None:
    """4 bits for the codec, one number of them left for those of one's own; 3 for its length; 6 for its mode."""
    assert len(CODECS) < 16
    assert all(len(codec_class(name).lengths) <= 8 for name in CODECS)
    assert len(MCS) <= 64
    assert all(len(ModeTable.read(MODES).modes(k)) <= 64 for k in VqDigital.lengths)


def test_a_codec_without_modes_has_mode_0_alone() -> None:
    codec = Raw()
    assert (codec.mode(-7.0), codec.mode(np.nan)) == (0, 0)
    assert codec.with_mode(0).for_fading("rayleigh") is codec
    with pytest.raises(InvalidInput, match="raw k = 512 has no mode 3"):
        codec.with_mode(3)


@pytest.mark.parametrize(("name", "k", "params"), [("kbsc", 64, 444_864), ("kbsc", 256, 592_896), ("raw", 512, 0)])
def test_parameters_are_those_of_the_paper(name: str, k: int, params: int) -> None:
    cost = cost_of(codec_class(name).load(k, "cpu"))
    assert cost.params == params
    assert abs(cost.macs - params) < 0.01 * params + 1  # one multiplication for each weight of a linear layer


@pytest.mark.parametrize("name", ["nested", "label"])
def test_tables_that_were_learned_are_counted_as_parameters(name: str) -> None:
    assert cost_of(codec_class(name).load(64, "cpu")).params > 200 * 512
