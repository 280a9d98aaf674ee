"""Benchmarks against peers: `python -m bench` runs all and prints one table, `python -m bench NAME …` only those.

Every figure is a ratio measured in one run on one machine: median of rounds in which ours and the peer take turns.
"""
