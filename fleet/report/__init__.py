"""Renderings of runs. All are drawn from the same values: a header, targets and results."""
