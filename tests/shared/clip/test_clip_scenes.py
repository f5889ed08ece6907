"""clip-scenes as it ships: a CLIP like any other, that knows scenes and questions about them."""

from itertools import islice

import numpy as np
import pytest
import torch

from lab.evaluate.ask.clip_sight import ClipSight, sight_named
from shared.clip import Clip, load_clip
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import to_unit_range
from shared.datasets import open_source
from shared.datasets.scenes import draw_scenes, questions_about
from shared.datasets.scenes.captions import caption_of, name_of
from shared.errors import InvalidSetting

SCENES = 100


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip("clip-scenes", device="cpu", precision="float32")


def test_the_nearest_scene_shows_what_was_searched(clip: Clip) -> None:
    scenes = draw_scenes("unseen-combinations", range(SCENES))
    images = clip.embed_images(scenes.pixels)
    shown = scenes.objects.combinations().reshape(SCENES, -1)
    texts = clip.embed_texts([name_of(each) for each in range(shown.shape[1])])
    nearest = (texts @ images.T).argmax(1)
    wanted = shown.any(0)
    assert shown[nearest, np.arange(shown.shape[1])][wanted].mean() > 0.85


def test_a_caption_finds_its_scene(clip: Clip) -> None:
    known = list(islice(open_source("scenes", "query"), SCENES))
    images = clip.embed_images(np.stack([picture.content for picture in known]))
    nearest = (clip.embed_texts([picture.label for picture in known]) @ images.T).argmax(1)
    assert (nearest == np.arange(SCENES)).mean() > 0.6
    assert clip.embed_texts([caption_of([0])]).shape == (1, 512)


def test_the_codec_sees_hidden_states_and_questions(clip: Clip) -> None:
    sight, asked = sight_named("clip-scenes", Answerer.load("judge")), questions_about("seen", range(3), 1)
    assert isinstance(sight, ClipSight)
    assert sight.parts == (clip.fingerprint,)
    seen = sight.see(to_unit_range(draw_scenes("seen", range(3)).pixels), torch.from_numpy(asked.words))
    fine, coarse, question = sight.channels
    assert [tuple(each.shape) for each in seen] == [(3, fine, 16, 16), (3, coarse, 8, 8), (3, question)]
    np.testing.assert_allclose(seen.question.numpy(), clip.embed_texts(asked.texts()), atol=1e-5)
    with pytest.raises(InvalidSetting, match="choose judge or clip-scenes"):
        sight_named("clip-tiny", Answerer.load("judge"))
