"""The errors of declared data flows.

    DataFlowException                       (AsflowError)
    ├── DataFlowError
    │   ├── DataFlowRunItemError            while running: an argument that nothing provides
    │   │   ├── DataFlowMergeResultError    (ValueError)    neighbours returned different values under one key
    │   │   └── DataFlowFunctionResultError (TypeError)     a result that is neither a mapping nor None
    │   ├── DataFlowDefinitionError         (DefinitionValueError)  refused before anything ran
    │   │   ├── DataFlowFunctionArgsError   (TypeError)     parameters that can't be wired by name
    │   │   ├── DataFlowNotCallableError    (TypeError)     a member that is neither a function nor a group
    │   │   ├── DataFlowNotTupleError       (TypeError)     a definition that is not a tuple, list or set
    │   │   └── DataFlowEmptyError                          a definition or group without members
    │   └── ArgsMapperError
    │       ├── ArgsMapperInputKeyError     (KeyError)      `input=` and the parameters or arguments differ
    │       ├── ArgsMapperOutputKeyError    (KeyError)      `output=` and the result differ
    │       └── ArgsMapperArgsError         (TypeError)     called with the wrong arguments, or made of them
    └── DispatchError                       (KeyError)      a key that no function is registered under

An exception that a member of a data flow raises is not wrapped in one of these: it passes unchanged.
"""

from __future__ import annotations

from asflow.errors import AsflowError, DefinitionTypeError, DefinitionValueError


class DataFlowException(AsflowError):  # noqa: N818 - the name that its users catch
    """Base of every error that a declared data flow raises itself."""

    def __str__(self) -> str:
        # A KeyError shows the repr of its message, quotes and all.
        return Exception.__str__(self)


class DataFlowError(DataFlowException):
    """A data flow could not be defined or could not go on."""


class DataFlowRunItemError(DataFlowError):
    """A member can't be called, or its result can't be used; a missing argument is raised as this."""


class DataFlowMergeResultError(DataFlowRunItemError, ValueError):
    """Neighbours of one group returned different, or incomparable, values under one key."""


class DataFlowFunctionResultError(DataFlowRunItemError, TypeError):
    """A member returned something that is neither a mapping with names as keys nor None."""


class DataFlowDefinitionError(DataFlowError, DefinitionValueError):
    """A data flow was refused when it was defined; nothing has run."""


class DataFlowFunctionArgsError(DataFlowDefinitionError, DefinitionTypeError):
    """A member has parameters that can't be passed by keyword, or that nothing provides."""


class DataFlowNotCallableError(DataFlowDefinitionError, DefinitionTypeError):
    """A member is neither callable nor a tuple, list, set or `stage`."""


class DataFlowNotTupleError(DataFlowDefinitionError, DefinitionTypeError):
    """The definition itself is not a tuple, list, set or `stage`."""


class DataFlowEmptyError(DataFlowDefinitionError):
    """The definition, or a group in it, has no members."""


class ArgsMapperError(DataFlowError):
    """Names given to `amapper` don't fit the function, its arguments or its result."""


class ArgsMapperInputKeyError(ArgsMapperError, KeyError):
    """`input=` names a parameter that the function lacks, or a key that the call lacks."""


class ArgsMapperOutputKeyError(ArgsMapperError, KeyError):
    """`output=` names something that the function's result lacks."""


class ArgsMapperArgsError(ArgsMapperError, TypeError):
    """A mapped function was called with the wrong arguments, or `amapper` itself was."""


class DispatchError(DataFlowException, KeyError):
    """No function is registered under the key, or another one is already."""
