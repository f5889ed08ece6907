"""The drawn set: repeatable, rich, free of overlap, quick, and coloured as its labels say."""

import numpy as np
import pytest

from shared.datasets.drawn import CATEGORIES, COLOURS, SHAPES, SPLITS, draw_batch, split_length
from shared.datasets.drawn.randomness import picture_keys, pixel_noise, uniforms
from shared.errors import InvalidSetting


def _prints(split: str, count: int) -> set[bytes]:
    pictures, _ = draw_batch(split, range(count))
    return {picture.tobytes() for picture in pictures}


def test_a_hundred_categories_each_named_once() -> None:
    assert len(CATEGORIES) == len(set(CATEGORIES)) == len(SHAPES) * len(COLOURS) == 100
    assert "red star" in CATEGORIES


def test_the_first_hundred_pictures_cover_all_categories() -> None:
    pictures, categories = draw_batch("query", range(100))
    assert pictures.shape == (100, 64, 64, 3)
    assert pictures.dtype == np.uint8
    assert categories.tolist() == list(range(100))


def test_a_picture_depends_on_its_index_alone() -> None:
    together, _ = draw_batch("train", range(300))
    scattered, categories = draw_batch("train", [299, 7, 130])
    np.testing.assert_array_equal(scattered, together[[299, 7, 130]])
    assert categories.tolist() == [99, 7, 30]


def test_another_seed_draws_other_pictures() -> None:
    first, _ = draw_batch("kb", range(50), seed=1)
    second, _ = draw_batch("kb", range(50), seed=2)
    assert all((a != b).mean() > 0.3 for a, b in zip(first, second, strict=True))


def test_splits_share_no_picture() -> None:
    prints = {split: _prints(split, 2000) for split in SPLITS}
    assert all(len(found) == 2000 for found in prints.values())  # nor does a split repeat itself
    assert len(set.union(*prints.values())) == 2000 * len(SPLITS)


def test_pictures_of_a_category_differ_in_place_and_background() -> None:
    pictures, _ = draw_batch("train", range(0, 5000, 100))
    corners = pictures[:, :4, :4].mean(axis=(1, 2, 3))
    assert corners.std() > 10
    assert pictures.astype(float).std(axis=0).mean() > 20


_HUES = {name: np.array(rgb, dtype=float) for name, rgb in COLOURS.items() if name not in ("white", "black")}


@pytest.mark.parametrize("colour", _HUES)
def test_the_figure_has_the_colour_of_its_label(colour: str) -> None:
    """The most saturated pixels of a picture lie nearest to the colour that its label names."""
    members = [index for index in range(1000) if CATEGORIES[index % 100].startswith(colour + " ")]
    pictures, _ = draw_batch("train", members)
    vivid = [_vivid(picture) for picture in pictures.astype(float)]
    named = [min(_HUES, key=lambda name: float(np.abs(pixel - _HUES[name]).sum())) for pixel in vivid]
    assert np.mean([name == colour for name in named]) > 0.9


def _vivid(picture: np.ndarray) -> np.ndarray:
    """Mean of the most saturated twentieth of the pixels."""
    pixels = picture.reshape(-1, 3)
    spread = pixels.max(axis=1) - pixels.min(axis=1)
    return pixels[spread >= np.quantile(spread, 0.95)].mean(axis=0)


def test_shapes_are_sized_alike() -> None:
    """Every shape fits the unit disc with some slack and fills a fair part of it."""
    grid_y, grid_x = np.mgrid[1.5:-1.5:121j, -1.5:1.5:121j].astype(np.float32)
    for name, distance in SHAPES.items():
        inside = distance(grid_x[None], grid_y[None])[0] < 0
        assert np.hypot(grid_x, grid_y)[inside].max() < 1.2, name
        assert 0.9 < inside.sum() * (3 / 120) ** 2 < 3.0, name


def test_empty_and_wrong_requests() -> None:
    pictures, categories = draw_batch("kb", [])
    assert pictures.shape == (0, 64, 64, 3)
    assert categories.shape == (0,)
    assert (split_length("kb"), split_length("query")) == (2000, 1000)
    with pytest.raises(InvalidSetting, match="choose one of train, kb, query"):
        draw_batch("test", [0])
    with pytest.raises(InvalidSetting, match="-1 is negative"):
        draw_batch("kb", [-1])


def test_random_numbers_are_uniform_and_independent() -> None:
    keys = picture_keys(0, 0, np.zeros(4000, dtype=np.int64), np.arange(4000))
    table = uniforms(keys, 8)
    assert abs(table.mean() - 0.5) < 5 / np.sqrt(12 * table.size)  # five standard errors
    assert abs(table.var() - 1 / 12) < 0.002
    assert np.abs(np.corrcoef(table.T) - np.eye(8)).max() < 5 / np.sqrt(4000)
    noise = pixel_noise(keys[:50], 64)
    assert abs(noise.mean()) < 5 / np.sqrt(3 * noise.size)
    assert abs(noise.var() - 1 / 3) < 0.005
