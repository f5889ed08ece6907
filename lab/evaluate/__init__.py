"""Compares transmission schemes under the same conditions.

    scenario.toml --points--> [ scheme: encode --> air --> decode --> decision ] --measure--> row --> results.csv

`scenario` says what to compare, `data` on which pictures, `schemes` how a scheme sends, `air` what happens on the way,
`measure` what comes of it, `table` what is kept, and `run` does it all in parallel.
"""
