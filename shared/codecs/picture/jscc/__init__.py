"""Learned joint source-channel coding (JSCC) of pictures."""
