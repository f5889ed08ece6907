"""Codecs of pictures: file formats over LDPC, and networks (JSCC)."""
