"""The commands, and the help that lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import cyclopts
from cyclopts import App, Parameter

from asflow._cli.adopt import adopt
from asflow._cli.check import check
from asflow._cli.clean import clean
from asflow._cli.console import Terminal, UsageError, refusal
from asflow._cli.failures import errors, retry
from asflow._cli.graph import graph
from asflow._cli.history import history
from asflow._cli.ls import ls
from asflow._cli.refresh import refresh
from asflow._cli.report import report
from asflow._cli.run import leading_options
from asflow._cli.run import run as run_flow
from asflow._cli.show import show
from asflow._cli.stale import stale
from asflow._cli.status import status
from asflow._version import __version__
from asflow.errors import AsflowError

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXIT_CODES = "Exit codes: 0 ok, 1 a problem was found, 2 bad usage."

_EXAMPLES = {
    "run": (
        "asflow run pipeline:transcripts --limit 3",
        "asflow run --sink trace=trace.html pipeline:transcripts",
    ),
    "ls": ("asflow ls data", "asflow ls data --json"),
    "show": ("asflow show data/2024-01-01.jsonl.zst --head 5",),
    "errors": ("asflow errors data", "asflow errors data/2024-01-15.err --full"),
    "retry": (
        "asflow retry pipeline:download",
        "asflow retry data/2024-01-15.err",
        "asflow retry data --dry-run",
    ),
    "stale": ("asflow stale pipeline", "asflow stale pipeline:clean --json"),
    "status": ("asflow status pipeline",),
    "refresh": ("asflow refresh 'data/2024-01-*'", "asflow refresh 'data/**/*.json' --dry-run"),
    "graph": ("asflow graph pipeline", "asflow graph pipeline --svg > pipeline.svg"),
    "history": ("asflow history", "asflow history runs -n 5 --json"),
    "report": ("asflow report", "asflow report runs -o runs.html --module pipeline"),
    "check": ("asflow check data --quiet",),
    "clean": ("asflow clean data --dry-run",),
    "adopt": ("asflow adopt pipeline:download --calls urls.txt",),
    "completion": ("asflow completion bash > ~/.local/share/bash-completion/completions/asflow",),
}


def _epilogue(examples: Iterable[str]) -> str:
    return "\n".join(["Examples:", "", *(f"    {line}" for line in examples), "", _EXIT_CODES])


app: App = App(
    name="asflow",
    help="Run flows, look at what they left on disk, and put it right.",
    help_epilogue=_epilogue(examples[0] for examples in _EXAMPLES.values()),
    help_format="markdown",
    version=__version__,
    default_parameter=Parameter(negative=()),
)


def run(
    target: str,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    sink: tuple[str, ...] = (),
    fail_on: tuple[str, ...] = (),
) -> int:
    """Call a flow, or a task, with arguments from the command line.

    The module is searched for in the current folder first. What the flow returns is printed; its progress
    goes to standard error. The flow's arguments are the parameters of its signature, converted to their
    annotated types; `--help` after the flow lists them.

    Args:
        target: The flow, as `package.module:flow`.
        arguments: Its arguments, as `--name value` or by position.
        sink: Before the flow, and possibly repeated: also report to a sink, as `NAME` or `NAME=ARGUMENT`.
            `rich`, `lines`, `tqdm`, `log` and `null` replace the default display, `trace=FILE` writes a
            timeline, `history=FOLDER` a file for each run; other names are entry points of the group
            `asflow.sinks`.
        fail_on: Before the flow: make the exit code 1 if a call ended like that, though the flow returned:
            `failed`, `skipped`, `suppressed` or `cancelled`, joined by commas.
    """
    return run_flow(target, arguments, sink, fail_on)


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a script for a shell that completes commands and options.

    Args:
        shell: The shell that reads the script.
    """
    print(app.generate_completion(prog_name="asflow", shell=shell), end="")
    return 0


for _command in (
    run,
    ls,
    show,
    errors,
    retry,
    stale,
    status,
    refresh,
    graph,
    history,
    report,
    check,
    clean,
    adopt,
    completion,
):
    app.command(_command, help_epilogue=_epilogue(_EXAMPLES[_command.__name__]))


def dispatch(tokens: list[str]) -> int:
    """Run the command in *tokens* and return its exit code."""
    try:
        # Everything after the flow is for the flow, `--help` and `--version` too.
        options, rest = leading_options(tokens[1:]) if tokens[:1] == ["run"] else ({}, [])
        if rest and not rest[0].startswith("-"):
            return run_flow(rest[0], rest[1:], options["--sink"], options["--fail-on"])
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
        code = command(*bound.args, **bound.kwargs)
    except cyclopts.CycloptsError as error:
        Terminal().complain(refusal(error, " ".join(["asflow", *(error.command_chain or ())])))
        return 2
    except UsageError as error:
        Terminal().complain(error)
        return 2
    except BrokenPipeError:
        raise
    except (AsflowError, OSError) as error:
        Terminal().complain(error)
        return 1
    return code if isinstance(code, int) else 0
