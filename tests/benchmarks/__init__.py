"""Benchmarks of the performance envelope: each row beside its floor and its peers, in one process.

Run `make bench`, or `python -m benchmarks --help` in the folder `tests`. No test asserts a time.
"""
