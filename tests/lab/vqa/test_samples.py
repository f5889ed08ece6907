"""Questions in folders: both layouts, the splits by category, and what is missing."""

from pathlib import Path

import pytest

from lab.vqa.samples import read_samples, split_samples
from shared.errors import DataLoss, InvalidSetting, NotFound
from tests.tools.vqa import write_easy_vqa, write_vqa_v2

OBJECTS = [["animal", "outdoor"], ["person", "furniture", "kitchen"], ["vehicle"], ["animal", "person"], []]


def test_easy_vqa(tmp_path: Path) -> None:
    found = read_samples(write_easy_vqa(tmp_path), "train")
    assert [sample.answer for sample in found[:2]] == ["red", "blue"]
    assert found[3].picture == tmp_path / "train/images/3.png"


def test_vqa_v2_has_the_tags_of_its_objects(tmp_path: Path) -> None:
    found = read_samples(write_vqa_v2(tmp_path, OBJECTS), "test")
    assert found[1].picture.name == "COCO_val2014_000000000001.jpg"
    assert [sorted(sample.tags) for sample in found] == [
        ["animal", "nonhuman", "outdoor"],
        ["human", "indoor", "nonanimal"],
        ["nonanimal", "nonhuman", "outdoor"],
        ["animal", "human"],
        [],
    ]


@pytest.mark.parametrize(
    ("split", "learned", "tested"),
    [
        ("nonanimal-animal", [1, 2], [0, 3]),
        ("nonhuman-human", [0, 2], [1, 3]),
        ("outdoor-indoor", [0, 2], [1]),
        ("indoor-outdoor", [1], [0, 2]),
        ("all", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ],
)
def test_splits_share_no_category(tmp_path: Path, split: str, learned: list[int], tested: list[int]) -> None:
    parts = split_samples(write_vqa_v2(tmp_path, OBJECTS), split)
    assert [[int(sample.picture.stem[-4:]) for sample in part] for part in parts] == [learned, tested]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="VQAv2 on COCO"):
        read_samples(tmp_path, "train")
    write_easy_vqa(tmp_path)
    with pytest.raises(InvalidSetting, match=r"instances_train2014\.json"):
        split_samples(tmp_path, "nonhuman-human")
    with pytest.raises(InvalidSetting, match="split = 'cats'"):
        split_samples(tmp_path, "cats")
    (tmp_path / "train/questions.json").write_text("[", encoding="utf-8")
    with pytest.raises(DataLoss, match="get it again"):
        read_samples(tmp_path, "train")
