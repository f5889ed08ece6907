"""Questions about pictures in folders, and the splits by category of arXiv 2509.08913.

VQAv2 on COCO    v2_OpenEnded_mscoco_train2014_questions.json, v2_mscoco_train2014_annotations.json,
                 instances_train2014.json, train2014/COCO_train2014_000000000009.jpg, and the same with val2014
easy-VQA         train/questions.json, train/images/0.png, and the same with test
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import DataLoss, InvalidSetting, NotFound
from shared.printable import first_line

_INDOOR: Final = frozenset({"furniture", "appliance", "electronic", "kitchen", "indoor"})
_OUTDOOR: Final = frozenset({"vehicle", "outdoor"})
SPLITS: Final[Mapping[str, tuple[str, str]]] = {
    "all": ("", ""),
    "nonanimal-animal": ("nonanimal", "animal"),
    "nonhuman-human": ("nonhuman", "human"),
    "outdoor-indoor": ("outdoor", "indoor"),
    "indoor-outdoor": ("indoor", "outdoor"),
}
"""Names of the splits: what is learned from, and what is tested on. `all` learns from the training part."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question. picture: file. tags: of the picture, names in `SPLITS`; none where its objects are not known."""

    picture: Path
    question: str
    answer: str
    tags: frozenset[str] = frozenset()


def read_samples(folder: Path, part: str) -> list[Sample]:
    """The questions of a part, train or test, in the order of the files. Raises NotFound for an unknown layout."""
    if (folder / part / "questions.json").is_file():
        return _easy_vqa(folder / part)
    year = {"train": "train2014", "test": "val2014"}[part]
    if (folder / f"v2_OpenEnded_mscoco_{year}_questions.json").is_file():
        return _vqa_v2(folder, year)
    raise NotFound(
        f"{folder} holds no questions of part {part}: give VQAv2 on COCO (v2_OpenEnded_mscoco_{year}_questions.json, "
        f"with its pictures), or easy-VQA ({part}/questions.json)"
    )


def split_samples(folder: Path, split: str) -> tuple[list[Sample], list[Sample]]:
    """What is learned from, and what is tested on. Raises InvalidSetting for an unknown split, or an empty one."""
    if split not in SPLITS:
        raise InvalidSetting(f"split = {split!r}: choose from {', '.join(SPLITS)}")
    wanted = SPLITS[split]
    parts = [
        [sample for sample in read_samples(folder, part) if not tag or tag in sample.tags]
        for part, tag in zip(("train", "test"), wanted, strict=True)
    ]
    if not all(parts):
        raise InvalidSetting(
            f"split = {split}: {folder} has {len(parts[0])} questions to learn from and {len(parts[1])} to test on; "
            "the splits need COCO's instances_train2014.json and instances_val2014.json; take all without them"
        )
    return parts[0], parts[1]


def _easy_vqa(folder: Path) -> list[Sample]:
    rows = _json(folder / "questions.json")
    return [Sample(folder / "images" / f"{number}.png", str(text), str(answer)) for text, answer, number in rows]


def _vqa_v2(folder: Path, year: str) -> list[Sample]:
    questions = _json(folder / f"v2_OpenEnded_mscoco_{year}_questions.json")["questions"]
    annotations = _json(folder / f"v2_mscoco_{year}_annotations.json")["annotations"]
    answers = {row["question_id"]: row["multiple_choice_answer"] for row in annotations}
    tags = _tags(_instances(folder, year))
    return [
        Sample(
            folder / year / f"COCO_{year}_{row['image_id']:012d}.jpg",
            row["question"],
            answers[row["question_id"]],
            tags.get(row["image_id"], frozenset()),
        )
        for row in questions
        if row["question_id"] in answers
    ]


def _instances(folder: Path, year: str) -> dict[str, Any]:
    """COCO's objects; none where the file is missing."""
    for file in (folder / f"instances_{year}.json", folder / "annotations" / f"instances_{year}.json"):
        if file.is_file():
            found: dict[str, Any] = _json(file)
            return found
    return {"categories": [], "annotations": []}


def _tags(instances: Mapping[str, Any]) -> dict[int, frozenset[str]]:
    """Tags of pictures by their objects' supercategories; of in and out of doors, where more objects belong."""
    kinds = {row["id"]: row["supercategory"] for row in instances["categories"]}
    objects: dict[int, list[str]] = defaultdict(list)
    for row in instances["annotations"]:
        objects[row["image_id"]].append(kinds[row["category_id"]])
    return {image: _tags_of(found) for image, found in objects.items()}


def _tags_of(kinds: list[str]) -> frozenset[str]:
    inside, outside = (sum(kind in group for kind in kinds) for group in (_INDOOR, _OUTDOOR))
    place = {"indoor"} if inside > outside else {"outdoor"} if outside > inside else set()
    animal = "animal" if "animal" in kinds else "nonanimal"
    human = "human" if "person" in kinds else "nonhuman"
    return frozenset({animal, human} | place)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"{file} cannot be read ({error.strerror}): it belongs to the data") from error
    except ValueError as error:
        raise DataLoss(f"{file} is no JSON ({first_line(error)}): get it again") from error
