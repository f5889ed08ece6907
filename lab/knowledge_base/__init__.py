"""Measurements of a knowledge base: as it is searched by what comes out of the channel."""
