"""The live display: what runs, how it is laid out, and where it is shown."""
