"""The commands, and the help that lists them."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import cyclopts
from cyclopts import App, Parameter

from asflow._version import __version__
from asflow.cli.checking import check
from asflow.cli.cleaning import clean
from asflow.cli.console import Terminal, UsageError
from asflow.cli.failing import errors, retry
from asflow.cli.listing import ls
from asflow.cli.running import run as run_flow
from asflow.cli.showing import show

__all__ = ["app", "dispatch"]

_HELP = """Run flows, look at what they left on disk, and put it right.

    asflow run flows.playlist:transcripts --limit 3
    asflow ls data
    asflow show data/2024-01-01.jsonl.zst --head 5
    asflow errors data
    asflow retry data/2024-01-15.err
    asflow check data && asflow clean data
"""

_EPILOGUE = "Exit codes: 0 ok, 1 a problem was found, 2 bad usage."


app = App(
    name="asflow",
    help=_HELP,
    help_epilogue=_EPILOGUE,
    help_format="markdown",
    version=__version__,
    default_parameter=Parameter(negative=()),
)


@app.command
def run(target: str, /, *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Call a flow, or a task, with arguments from the command line.

    The module is looked for in the current folder first. What the flow returns is printed; its progress
    is shown on standard error. `asflow run package.module:flow --help` lists the flow's own arguments: they
    are those of its signature, converted to the types that it names.

    Args:
        target: The flow, as `package.module:flow`.
        arguments: Its arguments, as `--name value` or by position.
    """
    return run_flow(target, arguments)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a script that completes commands and options in a shell.

    For bash: `asflow completion bash > ~/.local/share/bash-completion/completions/asflow`.

    Args:
        shell: The shell that is to read the script.
    """
    sys.stdout.write(app.generate_completion(prog_name="asflow", shell=shell))
    return 0


for _command in (ls, show, errors, retry, check, clean):
    app.command(_command)


def dispatch(tokens: list[str]) -> int:
    """Run the command that *tokens* spell and return its exit code."""
    try:
        # What follows the flow belongs to the flow, `--help` and `--version` too.
        if tokens[:1] == ["run"] and len(tokens) > 1 and not tokens[1].startswith("-"):
            return run_flow(tokens[1], tokens[2:])
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
        code = command(*bound.args, **bound.kwargs)
    except cyclopts.CycloptsError as error:
        Terminal().complain(error)
        return 2
    except UsageError as error:
        Terminal().complain(error)
        return 2
    return code if isinstance(code, int) else 0
