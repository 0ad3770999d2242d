"""`python -m benchmarks`: measure, print the table, and (with `--page`) write the page of the docs."""

from __future__ import annotations

import argparse
import sys

from benchmarks import calls, fanout, skips
from benchmarks.measuring import Scratch, measure


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--short", action="store_true")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("rows", nargs="*")
    a = p.parse_args()
    s = Scratch()
    try:
        for r in [*calls.rows(a.short), *fanout.rows(a.short), *skips.rows(a.short, s.new)]:
            if a.rows and not any(r.key.startswith(x) for x in a.rows): continue
            res = measure(r, a.rounds, s)
            print(f"{r.key:20} {r.bound or '':5} " + "  ".join(f"{n} {res.number(n,'cpu'):.3f}us x{res.compared(n,'cpu'):.2f} (wall {res.compared(n,'wall'):.2f})" for n,m in res.measured.items() if not m.error), flush=True)
    finally:
        s.close()
main()
