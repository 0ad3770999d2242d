"""How records become bytes, and bytes records: one file a format, one for compression.

    .jsonl .ndjson    JSON Lines        json_lines.py
    .json             one document      json_document.py
    .csv .tsv         delimited text    delimited.py
    .parquet          columns           parquet.py        needs pyarrow
    any other         raw text, bytes   raw.py

then `.gz` or `.zst` (compression.py). `FORMATS` and `COMPRESSIONS` are the registries. A format is imported
when an output of it is first opened.
"""

from asflow.writers.compression import open_reader
from asflow.writers.reading import RecordReader, read_records, read_text
from asflow.writers.suffixes import COMPRESSIONS, FORMATS, check_suffix, split_suffixes
from asflow.writers.writing import OutputWriter, open_format, open_writer

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "OutputWriter",
    "RecordReader",
    "check_suffix",
    "open_format",
    "open_reader",
    "open_writer",
    "read_records",
    "read_text",
    "split_suffixes",
]
