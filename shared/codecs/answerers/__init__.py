"""Networks that answer questions about pictures: `judge` and `witness`, and what of a picture a question needs."""

from shared.codecs.answerers.answerer import ANSWERERS, Answerer, Answers, Look

__all__ = ["ANSWERERS", "Answerer", "Answers", "Look"]
