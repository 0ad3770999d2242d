"""The words of the project: one for each thing, the one that the field uses.

`test_words.py` keeps the wrong words (left) out of docstrings, comments and strings in `asflow/`, and out of
the pages in `docs/`; write the right ones (right) instead. The models for the English are trio, httpcore and
stamina: short plain sentences in the present tense.

Wrong words are regular expressions for whole words in lower case. A space also matches a line break.
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    # who does what
    r"tells?|telling|told": "report, notify, show, return; raise an error that says; distinguish",
    r"hears?|heard|hearing": "receive, be notified",
    r"may answer|answers with": "may return, returns",
    r"nobody|anybody|somebody|everybody": "no caller, another process, each caller that",
    r"whoever|whomever": "the caller that, the process that",
    r"whatever": "any, anything that, regardless of",
    r"gives(?! back| up)|gave(?! back| up)": "returns, yields, produces, assigns",
    # what is and what is not
    r"(?<!there )(?:is|are|was|were) no (?!longer\b|more\b|less\b|fewer\b|other\b)[a-z]+": "is not a",
    r"stands? (?:for|in|there|at|on|before|behind|above|below|under|alone)": "is, exists; replaces",
    r"in the place of": "instead of, as a replacement for",
    r"(?:none|nothing|false|true|empty|absent|zero) where": "None if, nothing if",
    r"lies?|lying": "return an invalid result; is",
    # how often, how much
    r"anew": "again",
    r"so many": "at most n, this many, the number of",
    # people's words for code
    r"forgiv(?:e|es|en|ing)": "skip, accept",
    r"curious": "that wants every event",
    r"rooms|(?:a|an|the|this|that|each|every|one|another|its|whose|which) room": "package, module",
}
"""Wrong words -> what to write instead."""

ALLOWED: dict[str, dict[str, str]] = {}
"""File -> a wrong word in it (in lower case) -> the reason, such as a message of another library."""
