"""Learned joint source-channel coding of pictures: pixels to symbols, and symbols to pixels."""
