"""The evaluation of questions: what is compared with what, and figures that can be wrong."""

import numpy as np
import pytest

from lab.evaluate.ask.follow_ups import follow_ups
from lab.evaluate.ask.measures import Examiner, figures, interval, judged
from lab.evaluate.ask.points import AskLab, points
from lab.evaluate.ask.questions import Exam
from lab.evaluate.ask.schemes import error_free, in_parts
from shared.codecs.answerers import Answerer
from shared.codecs.base.weight_files import weights_path
from shared.codecs.query.transform import BlockCode

SCENES = 12


@pytest.fixture(scope="module")
def judge() -> Answerer:
    return Answerer.load("judge")


@pytest.fixture(scope="module")
def exam(judge: Answerer) -> Exam:
    return Exam.of("seen", SCENES, judge, judge)


def test_the_originals_match_themselves(exam: Exam, judge: Answerer) -> None:
    found = figures(exam, judged(exam, exam.originals().pixels, judge, judge))
    assert (found.match, found.match_witness, found.off_query) == (1, 1, 1)
    assert found.accuracy > 0.8
    assert (found.questions, found.scenes) == (len(exam.texts), SCENES)


def test_grey_pictures_match_little(exam: Exam, judge: Answerer) -> None:
    found = figures(exam, judged(exam, np.full_like(exam.originals().pixels, 128), judge, judge))
    assert found.match < 0.6
    assert found.psnr_db < 20


def test_the_question_brings_more_than_it_costs(exam: Exam, judge: Answerer) -> None:
    code = BlockCode.from_file(weights_path("klt-relevance", "model.safetensors"))
    found = {}
    for name, scheme in error_free(code, judge).items():
        rebuilt = in_parts(lambda asked, scheme=scheme: scheme(asked, 768), exam.originals())
        found[name] = figures(exam, judged(exam, rebuilt, judge, judge))
    assert found["klt-relevance"].match > found["klt-random"].match
    assert found["klt-relevance"].psnr_db_region > found["klt"].psnr_db_region
    assert found["klt-relevance"].psnr_db < found["klt"].psnr_db


def test_another_question_is_about_the_same_scene(exam: Exam) -> None:
    other = exam.another()
    np.testing.assert_array_equal(exam.asked.scene[other], exam.asked.scene)
    assert (other != np.arange(len(other))).all()


def test_regions_are_inside_the_objects_that_are_asked_about(exam: Exam) -> None:
    region = exam.region()
    assert (region.any((1, 2)) == exam.asked.about.any(1)).all()
    assert 0.01 < region[exam.asked.about.any(1)].mean() < 0.4


def test_a_session_sends_only_what_is_missing(exam: Exam) -> None:
    rows = follow_ups(AskLab.load(), exam)
    bits = [row["bits"] for row in rows]
    assert bits[0] == rows[0]["bits_anew"] == 192
    assert bits == sorted(bits)
    assert bits[-1] < 0.8 * rows[-1]["bits_anew"]
    assert rows[0]["match_session"] == rows[0]["match_anew"]
    assert rows[-1]["match_session"] > rows[-1]["match_anew"] - 0.1


def test_nothing_is_asked_twice(exam: Exam, judge: Answerer) -> None:
    examiner, pictures = Examiner(exam, judge, judge), exam.originals().pixels
    first = examiner.found(pictures)
    examiner._judge = None  # type: ignore[assignment]  # would fail if it were asked
    np.testing.assert_array_equal(examiner.found(pictures, off_query=False).judge, first.judge)


def test_every_point_has_a_sender() -> None:
    names = {point.scheme for point in points()}
    assert {"klt", "klt-relevance", "uo-isc", "answer-digital", "symbol-list", "nested-kb", "hevc-crop"} <= names


def test_intervals_are_over_scenes() -> None:
    scene = np.repeat(np.arange(50), 6)
    values = np.repeat(np.random.default_rng(1).integers(0, 2, 50), 6).astype(float)
    low, high = interval(values, scene)
    assert 0.2 < high - low < 0.35  # 50 independent draws, not 300
