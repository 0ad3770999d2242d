"""The names of outputs: patterns, escaping, and the identity of a call."""
