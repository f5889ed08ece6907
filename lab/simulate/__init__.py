"""The chain of the link without its sockets, made of the services' own functions.

chain       payloads --> pilots, channel, estimate, equalizer --> x_hat, n0_eff
embeddings  embeddings --> codec, chain, decoder --> embeddings
rounds      the same in rounds (HARQ)
link        picture files --> transmitter, channel, receiver --> deliveries, by a schedule too
"""
