"""Digital transmission by 5G LDPC and QAM, and the codec `vq-digital`."""
