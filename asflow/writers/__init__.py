"""How records become bytes, and bytes become records: one module for each format, one for compression.

    .jsonl .ndjson    JSON Lines        _json_lines.py
    .json             one document      _json_document.py
    .csv .tsv         delimited text    _delimited.py
    .parquet          columns           _parquet.py        needs pyarrow (_arrow.py)
    any other         raw text, bytes   _raw.py

    of `Format`       the user's own    _custom.py         registered in _registry.py

then `.gz` or `.zst` (_compression.py). `FORMATS` and `COMPRESSIONS` are the registries. A format is imported
when an output of it is first opened, and reading and writing when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow._names import lazily, set_homes
from asflow.writers._suffixes import COMPRESSIONS, FORMATS, check_suffix, split_suffixes

if TYPE_CHECKING:
    from asflow.writers._compression import open_reader
    from asflow.writers._files import OutputFile, as_file
    from asflow.writers._paths import by_path
    from asflow.writers._reading import RecordReader, read_records, read_text
    from asflow.writers._writing import OutputWriter, open_format, open_writer
else:
    # `import asflow` loads this package for the suffixes alone, and must stay fast.
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "OutputFile": "._files",
            "OutputWriter": "._writing",
            "RecordReader": "._reading",
            "as_file": "._files",
            "by_path": "._paths",
            "open_format": "._writing",
            "open_reader": "._compression",
            "open_writer": "._writing",
            "read_records": "._reading",
            "read_text": "._reading",
        },
    )

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "OutputFile",
    "OutputWriter",
    "RecordReader",
    "as_file",
    "by_path",
    "check_suffix",
    "open_format",
    "open_reader",
    "open_writer",
    "read_records",
    "read_text",
    "split_suffixes",
]

set_homes(__name__, (check_suffix, split_suffixes))
