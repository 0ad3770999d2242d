"""Benchmarks of the performance envelope: each row beside its floor and its peers, in one process.

Run `make bench`, or `python -m benchmarks --help` in the folder `tests`. A whole run is kept in `results/`,
one for each Python, and docs/benchmarks.md is made from all of them. No test asserts a time.
"""
