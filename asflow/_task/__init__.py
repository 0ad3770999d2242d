"""Tasks: options, definition, callables, `map`, outputs."""
