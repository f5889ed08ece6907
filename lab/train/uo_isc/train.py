"""Trains `uo-isc` on scenes of seen combinations: pictures first, then the intent too, and an adversary if wanted.

    loss = picture + 0.3 hidden maps + 0.25 segments + w(step) intent + v(step) adversary

Each batch has one number of tokens, each picture a number of segments of its own, so that one network serves all rates.
For the first steps segments are not quantized; then the books start from segments of a batch, and every 50 steps
codewords that nothing used start again. The judge is frozen; the witness takes no part.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lab.evaluate.ask.clip_sight import sight_named
from lab.evaluate.ask.questions import answered
from lab.train.answerer.train import Lesson, lesson
from lab.train.common.fit import Training, fit, moving_average
from lab.train.common.output import count_parameters, export, write_card
from lab.train.common.precision import mixed_precision
from lab.train.common.schedule import warm_cosine
from lab.train.uo_isc import UoIscSettings
from lab.train.uo_isc import losses as lost
from lab.train.uo_isc.adversary import Critic, error_of_critic, error_of_deception
from shared.codecs.answerers import Answerer
from shared.codecs.answerers.answerer import Look
from shared.codecs.answerers.network import Features
from shared.codecs.base.picture import Asked
from shared.codecs.query.sight import JUDGE, JudgeSight
from shared.codecs.query.tokens import CELLS, SEGMENTS, choose_cells
from shared.codecs.query.uo_isc import TokenSource, places, relevance_in
from shared.codecs.query.uo_isc_network import BOOK, Quantized, UoIscNetwork
from shared.datasets.scenes import draw_scenes, questions_about
from shared.device import use_threads

_SPLIT: Final = "train-seen"
_TOKENS: Final = (2, 3, 4, 5, 8)
_FEWEST_SEGMENTS: Final = 4
_MAPS: Final = 0.3
_SEGMENTS_WEIGHT: Final = 0.25
_REVIVAL: Final = 50
_VALIDATED_BITS: Final = (192, 384)
_VALIDATED_FROM: Final = 1 << 40  # scenes that no training reaches


class UoIscTraining(Training):
    """A network in training. The last round is kept: the rate has fallen, and a few scenes would choose by chance."""

    def __init__(self, settings: UoIscSettings, judge: Answerer) -> None:
        super().__init__(settings.steps, settings.seed)
        self._settings, self._answerer = settings, judge
        self._judge = [judge.network]  # in a list: no part of what is trained and kept
        self.sight = sight_named(settings.tower, judge)
        self.network = UoIscNetwork(*self.sight.channels, aligned=settings.alignment)
        self.average: Any = moving_average(self.network, settings.average_decay)
        self.critic = Critic() if settings.adversary else None
        self.register_buffer("used", torch.zeros(SEGMENTS, BOOK))  # kept, so that a resumed run revives no others
        self.used: Tensor

    def batches(self) -> Iterator[Lesson]:
        """Scenes that come once."""
        size = self.share(self._settings.scenes)
        for indices in self.fresh(size):
            yield lesson(_SPLIT, indices, self._settings.questions)

    def training_step(self, batch: Lesson, _: int) -> Tensor:
        """See the loss above."""
        judge, step = self._judge[0].to(self.device), self.current_epoch * self.steps + _
        pictures = batch.pictures[batch.scene]
        with mixed_precision(self.device):
            with torch.no_grad():
                judged = JudgeSight(self._answerer).see(pictures, batch.words)
                relevance = relevance_in(judge, judged)
                seen = judged if self._settings.tower == JUDGE else self.sight.see(pictures, batch.words)
            tokens = _TOKENS[int(torch.randint(len(_TOKENS), ()))]
            chosen = choose_cells(relevance.cpu().numpy(), tokens)
            at = places(chosen).to(self.device)
            rebuilt, of_segments = self._carried(pictures, seen, at, step)
        cells = torch.from_numpy(chosen).to(self.device).view(-1, CELLS, CELLS)
        weights = lost.weights_of_pixels(cells, batch.gates)
        loss = lost.error_of_pictures(rebuilt, pictures, weights) + _SEGMENTS_WEIGHT * of_segments
        loss = loss + self._seen(rebuilt, judged, weights, self._intent_weight(step))
        return self.logged(loss + self._deceived(pictures, rebuilt, step))

    def _carried(self, pictures: Tensor, features: Features, at: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Rebuilt pictures, and the error of the segments."""
        continuous = self.network.encoder(pictures, features, at)
        sent = torch.randint(_FEWEST_SEGMENTS, SEGMENTS + 1, (len(pictures), 1), device=self.device)
        sent = (torch.arange(SEGMENTS, device=self.device) < sent)[at[:, 0]].float()
        if step < self._settings.unquantized_steps:
            values, error = continuous + 0.1 * torch.randn_like(continuous), continuous.new_zeros(())
        else:
            self._revive(continuous.detach(), step)
            quantized = self.network.quantize(continuous)
            ones = torch.ones_like(quantized.indices.T, dtype=self.used.dtype)
            self.used.scatter_add_(1, quantized.indices.T, ones)
            values = self._received(quantized, at, step)
            error = lost.error_of_segments(continuous, self.network.codewords(quantized.indices))
        return self.network.painter(values, sent, at, len(pictures)), error

    def _received(self, quantized: Quantized, at: Tensor, step: int) -> Tensor:
        """Segments as they arrive: in the stage through the channel a share of their bits is wrong."""
        most = self._settings.bit_errors
        if not most or step < self._settings.channel_from * self._settings.rounds * self.steps:
            return quantized.values
        share = most * torch.rand(int(at[:, 0].max()) + 1, device=self.device)[at[:, 0]]  # each picture has its own
        wrong = lost.with_wrong_bits(quantized.indices, share)
        continuous = quantized.continuous
        return continuous + (self.network.codewords(wrong) - continuous).detach()

    def _seen(self, rebuilt: Tensor, features: Features, weights: Tensor, weight: float) -> Tensor:
        """What the judge sees in rebuilt pictures against the originals."""
        judge = self._judge[0]
        with mixed_precision(self.device):
            again = judge.maps(lost.disturbed(rebuilt))
            loss = _MAPS * sum(
                (lost.error_of_maps(one, other, weights) for one, other in zip(again, features[:2], strict=True)),
                rebuilt.new_zeros(()),
            )
            if weight:
                first = judge.think(again[1], features.question).hidden
                with torch.no_grad():
                    second = judge.think(features.coarse, features.question).hidden
                loss = loss + weight * lost.intent(first, second)
        return loss

    def _deceived(self, pictures: Tensor, rebuilt: Tensor, step: int) -> Tensor:
        """What the adversary adds: its own error, and how little it was deceived."""
        if self.critic is None or step < self._settings.adversary_from * self._settings.rounds * self.steps:
            return rebuilt.new_zeros(())
        deception = error_of_deception(self.critic, rebuilt.float())
        return self._settings.adversary * deception + error_of_critic(self.critic, pictures, rebuilt.float())

    def _intent_weight(self, step: int) -> float:
        start = self._settings.intent_from * self._settings.rounds * self.steps
        return self._settings.intent * min(1.0, max(0.0, (step - start) / 200))

    @torch.no_grad()
    def _revive(self, continuous: Tensor, step: int) -> None:
        """Start the books from a batch, and unused codewords again."""
        begins = step == self._settings.unquantized_steps
        if not begins and step % _REVIVAL:
            return
        unused = torch.ones_like(self.used, dtype=torch.bool) if begins else self.used == 0
        for segment, codewords in enumerate(unused.to(continuous.device)):
            some = torch.randint(len(continuous), (int(codewords.sum()),), device=continuous.device)
            self.network.books[segment, codewords] = continuous[some, segment].to(self.network.books.dtype)
        self.used.zero_()

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the moving average."""
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        """AdamW; its rate rises, then falls as a cosine."""
        groups: list[dict[str, Any]] = [{"params": self.network.parameters()}]
        if self.critic is not None:
            groups.append({"params": self.critic.parameters(), "betas": (0.0, 0.9), "weight_decay": 0.0})
        optimizer = torch.optim.AdamW(groups, self._settings.lr, (0.9, 0.98), weight_decay=0.01)
        return warm_cosine(optimizer, self._settings.warmup_steps, self._settings.rounds * self.steps)

    def measure(self) -> dict[str, float]:
        """Share of answers that match, mean of two rates, and each."""
        scenes = _VALIDATED_FROM + np.arange(self._settings.validated)
        source = TokenSource(self.average.module, self._answerer, self.sight)
        found = [matched(source, self._answerer, _SPLIT, scenes, bits) for bits in _VALIDATED_BITS]
        self.average.module.requires_grad_(False)
        return {
            "match": float(np.mean(found)),
            **dict(zip(map("match_{}".format, _VALIDATED_BITS), found, strict=True)),
        }


def matched(source: TokenSource, judge: Answerer, split: str, scenes: "np.ndarray[Any, Any]", bits: int) -> float:
    """Share of the judge's answers that are the same on the original and on the rebuilt picture, error-free."""
    asked, look = _looked(judge, split, scenes)
    rebuilt = source.decode(source.encode(asked, bits))
    said = answered(judge, rebuilt, asked.words, np.arange(len(rebuilt)))
    return float((said == look.answers.numbers).mean())


def indices_of(source: TokenSource, judge: Answerer, split: str, scenes: "np.ndarray[Any, Any]") -> Tensor:
    """Codewords of five tokens for each question about some scenes: [M, S]."""
    asked, look = _looked(judge, split, scenes)
    return torch.from_numpy(source.indices(asked, choose_cells(look.relevance, _TOKENS[-2])))


def _looked(judge: Answerer, split: str, scenes: "np.ndarray[Any, Any]") -> tuple[Asked, Look]:
    """Questions about some scenes, and what the judge sees."""
    drawn, asked = draw_scenes(split, scenes), questions_about(split, scenes)
    pixels = drawn.pixels[asked.scene]
    look = judge.look(pixels, asked.words)
    return Asked(pixels, asked.words, look.relevance, look.seen), look


def train_uo_isc(settings: UoIscSettings) -> list[dict[str, float]]:
    """Train the codec, or finish a run that was killed; write weights and card; gives the curves."""
    use_threads(settings.threads)
    judge = Answerer.load("judge")
    training = UoIscTraining(settings, judge)
    run = f"seed{settings.seed}-rounds{settings.rounds}-alignment{settings.alignment:d}-intent{settings.intent:g}"
    run += f"-adversary{settings.adversary:g}" if settings.adversary else ""
    run += f"-errors{settings.bit_errors:g}" if settings.bit_errors else ""
    run += f"-{settings.tower}" if settings.tower != JUDGE else ""
    curves = fit(training, settings, run, settings.rounds)
    network = training.average.module
    aligned = "yes" if settings.alignment else "no"
    export(network.state_dict(), settings, "model.safetensors", codec="uo-isc", aligned=aligned, tower=settings.tower)
    source = TokenSource.from_file(settings.out / "model.safetensors", judge, sight=training.sight)
    rows = [
        {"split": split}
        | {
            f"{bits} bits": f"{matched(source, judge, split, np.arange(settings.held_out), bits):.3f}"
            for bits in (96, 192, 384, 768)
        }
        for split in ("seen", "unseen-combinations", "unseen-shapes")
    ]
    used = lost.perplexity(indices_of(source, judge, "seen", np.arange(settings.held_out)))
    values = {"rows": rows, "parameters": count_parameters(network), "rounds": len(curves), "perplexity": used}
    write_card("uo_isc/card.md.j2", settings, sum(row["seconds"] for row in curves), **values)
    return curves
