"""Figures and tables of a comparison, from the table that `lab.evaluate` left."""
