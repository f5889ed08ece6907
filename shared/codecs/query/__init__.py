"""Codecs that know the question: `klt-relevance`, and `klt`, the same code without it."""
