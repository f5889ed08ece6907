"""Compares transmission schemes under the same conditions.

    scenario.toml --points--> [ scheme: encode --> chain --> decode --> decision ] --score--> row --> results.csv

`scenario` says what to compare, `data` on which pictures, `schemes` how a scheme sends (through the chain of
`lab.simulate`), `scorer` what came of it, `table` what is kept, and `run` does it all in parallel.
"""
