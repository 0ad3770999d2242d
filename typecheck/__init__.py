"""Tests of type checkers on code that uses asflow: see `python -m typecheck --help`.

- `accept/` holds code that must pass. Each `assert_type(...)` and each line marked `# OK` is a case.
- `reject/` holds code that must fail. Each line marked `# E` is a case, and every other line must pass;
  on one marked `# E: await` the error must be that its result is not awaited.
- `gaps.toml` lists the cases that a checker gets wrong today, each with a reason.
- `project/` is a user's project, checked against the installed wheel; see `tests/types/`.
"""
