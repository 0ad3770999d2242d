"""What `@flow.task` makes: options, definition, callables, `map`, outputs."""
