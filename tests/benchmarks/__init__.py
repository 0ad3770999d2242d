"""The performance envelope, measured: every row beside its floor and its peers, in one process.

Run `make bench`, or `python -m benchmarks --help` in the folder `tests`. Nothing here is a timed test.
"""
