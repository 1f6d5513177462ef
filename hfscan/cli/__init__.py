"""Command line interface: one module per command. No other package prints or exits."""

import errno
import importlib
import os
import re
import signal
import sys
import threading
from collections import ChainMap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.shell_completion import CompletionItem

from hfscan._version import __version__
from hfscan.cli import _streams
from hfscan.cli._output import configure_log, echo, show_error
from hfscan.errors import HfscanError, HubRefusedError, StorageError
from hfscan.interrupt import Signals
from hfscan.suggest import did_you_mean, unknown

_INTERRUPTED, _PIPE_CLOSED, _TERMINATED = 130, 141, 143

COMMAND_GROUPS = {
    "Collect data": {
        "crawl": "Fetch model metadata from the Hub into the database.",
        "import": "Import a recorded dump or an export as a snapshot.",
        "import-history": "Import all revisions of a dump on the Hub.",
        "backfill-dates": "Fetch creation dates that the Hub lacks.",
        "snapshot": "Update a folder or dataset: crawl, check, export, report.",
    },
    "Analyse": {
        "report": "Report which frameworks the models support.",
        "trend": "Show how framework shares change over time.",
        "show": "Show a model, an account or a family over time.",
        "claims": "Check published claims against the data.",
        "explain": "Show why a model is classified as it is.",
        "lineage": "Draw what a model was made from, and what from it.",
        "frameworks": "List frameworks and formats, and how each is detected.",
        "query": "Run a named query or your own SQL, read-only.",
        "mcp": "Serve reports and queries to agents (MCP), read-only.",
    },
    "Manage snapshots": {
        "snapshots": "List the snapshots in the database.",
        "delete": "Delete snapshots from the database.",
        "export": "Write a snapshot and its figures as Parquet and Markdown.",
        "publish": "Publish a snapshot as a dataset on the Hub.",
    },
    "Compare outputs": {
        "parity": "Run checkpoints in several frameworks and compare outputs.",
        "parity setup": "Install the frameworks that parity runs, each where it fits.",
    },
    "Try and diagnose": {
        "demo": "Crawl a synthetic Hub and report on it, offline.",
        "doctor": "Check installation, database, Hub connection and backends.",
        "fake-hub": "Run a fake Hub on this machine, for tests and experiments.",
    },
}
"""Heading in the help -> command -> summary.

The code is in `hfscan/cli/<command>.py` (`import_.py` for `import`), imported for this command
only. What it runs it imports itself, so that `--help` is fast. A command of two words is not a
group's: `parity` itself takes arguments."""

COMMANDS = [name for commands in COMMAND_GROUPS.values() for name in commands]


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = "import_" if cmd_name == "import" else re.sub(r"\W", "_", cmd_name)
        command = importlib.import_module(f"hfscan.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValueError:  # huggingface_hub reads HF_ENDPOINT as it is imported
            _check_environment()
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete commands, without importing them, and options."""
        summaries = ChainMap(*COMMAND_GROUPS.values())
        return [
            CompletionItem(name, help=summaries[name])
            for name in COMMANDS
            if name.startswith(incomplete) and " " not in name
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, commands in COMMAND_GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if " ".join(args[:2]) in COMMANDS:
            args = [" ".join(args[:2]), *args[2:]]
        elif len(args) > 1:
            second_words = [name.split()[1] for name in COMMANDS if name.startswith(f"{args[0]} ")]
            hint = did_you_mean(args[1], second_words)
            if hint and not Path(args[1]).exists():  # SQL may be too long for a path
                ctx.fail(f"There is no command {' '.join(args[:2])!r}.{hint}")
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            if ctx.resilient_parsing:  # completes a line that is wrong
                return None, None, []
            ctx.fail(unknown("command", args[0], COMMANDS))
        return super().resolve_command(ctx, args)


def _check_environment() -> None:
    try:
        urlsplit(os.environ.get("HF_ENDPOINT", ""))
    except ValueError:
        raise HubRefusedError(
            "HF_ENDPOINT is not a URL. Set it to a URL such as https://huggingface.co, or unset it."
        ) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  hfscan demo
  hfscan crawl --year 2022
  hfscan report --year 2022
  hfscan COMMAND --help""",
)
@click.version_option(__version__, prog_name="hfscan")
@click.option("-v", "--verbose", count=True, help="Log each step; -vv: also each request.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors on stderr.")
def cli(verbose: int, quiet: bool) -> None:
    """Measure which deep-learning frameworks the models on the Hugging Face Hub support."""
    if verbose and quiet:
        raise click.UsageError("-v cannot be combined with -q.")
    configure_log(verbose, quiet)


def main() -> None:
    """Run the command line and exit."""
    code = run()
    others = set(threading.enumerate()) - {threading.main_thread()}
    if not all(thread.daemon for thread in others):
        # Python waits at exit for the threads of pools; one may wait for the Hub
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run() -> int:
    """Run the command line; turn each expected error into a message on stderr and an exit code."""
    _streams.install()
    _drop_unreadable_size()
    with Signals().handled() as signals:
        try:
            code = _run_command()
        except (Exception, KeyboardInterrupt) as error:
            signals.ignore_further()
            code = _handle_error(error, signals)
    return _TERMINATED if signals.received is signal.SIGTERM else code


def _drop_unreadable_size() -> None:
    """Ignore a size of the terminal such as "²", which rich takes for a number."""
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "0").isdecimal():
            del os.environ[name]


def _run_command() -> int:
    """Run the command, flush stdout and return the exit code."""
    try:
        # without standalone mode click returns the code of an exit instead of raising it
        code = cli.main(prog_name="hfscan", standalone_mode=False)
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _handle_error(error: BaseException, signals: Signals) -> int:
    """Print why the command ended, if needed; return its exit code."""
    if isinstance(error, _streams.PipeClosedError):
        return _PIPE_CLOSED
    if signals.received is not None or isinstance(error, click.Abort | KeyboardInterrupt):
        # after a signal, any error is a consequence of it
        reason = "Terminated" if signals.received is signal.SIGTERM else "Interrupted"
        echo(f"{reason}. Stored data is kept: run the same command again.", err=True)
        return _INTERRUPTED
    if isinstance(error, click.ClickException):
        show_error(error)
        return error.exit_code
    if isinstance(error, HfscanError):
        echo(f"Error: {error}", err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        echo(f"Error: {error.filename} is too long a file name. Choose a shorter one.", err=True)
        return StorageError.exit_code
    raise error
