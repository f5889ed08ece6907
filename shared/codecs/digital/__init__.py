"""Digital transmission: bits to symbols and back by 5G LDPC and QAM, and codecs made of it."""
