"""The command line: one file per command; the only place that prints, asks or exits."""

import importlib
import os
import signal
import sys
from urllib.parse import urlsplit

import click

from hfscan._version import __version__
from hfscan.cli import _streams
from hfscan.cli._output import echo, show_error
from hfscan.errors import HfscanError, HubRefusedError
from hfscan.interrupt import Signals
from hfscan.suggest import unknown

_INTERRUPTED, _READER_LEFT, _TERMINATED = 130, 141, 143

COMMANDS = {
    "crawl": "Fetch the Hub's model metadata into the database.",
    "import": "Import recorded dumps as snapshots.",
    "snapshots": "List the snapshots in the database.",
    "delete": "Remove snapshots from the database.",
    "snapshot": "Update a folder or Hub dataset: crawl, check, export, report.",
    "backfill-dates": "Fetch first-commit dates of models older than the creation-date cutoff.",
    "report": "Report which frameworks the models support.",
    "trend": "Show how the shares change, by creation date or by snapshot.",
    "claims": "Check published claims against the data.",
    "explain": "Show the evidence that a model supports a framework.",
    "frameworks": "List frameworks, formats and runtimes, and how each is detected.",
    "parity": "Load checkpoints in several frameworks and compare their outputs.",
    "query": "Run a named query, or SQL of your own, read-only.",
    "export": "Write a snapshot and its figures as Parquet, for other tools.",
    "publish": "Publish a snapshot as a dataset on the Hub.",
    "doctor": "Check the installation, database, Hub connection and backends.",
    "demo": "Crawl and report on a synthetic Hub, offline.",
    "fake-hub": "Serve a fake Hub on loopback, for tests and experiments.",
}
"""Command -> what it is for. The code is `hfscan/cli/<command>.py` (`import_.py` for `import`),
imported only when the command is called, so that each pays only for what it needs."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = "import_" if cmd_name == "import" else cmd_name.replace("-", "_")
        try:
            command = importlib.import_module(f"hfscan.cli.{name}").command
        except ValueError:  # huggingface_hub reads HF_ENDPOINT as it is imported
            _check_environment()
            raise
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(unknown("command", args[0], COMMANDS))
        return super().resolve_command(ctx, args)


def _check_environment() -> None:
    try:
        urlsplit(os.environ.get("HF_ENDPOINT", ""))
    except ValueError:
        raise HubRefusedError(
            "HF_ENDPOINT is no endpoint. Give one like https://huggingface.co, or unset it."
        ) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hfscan")
@click.option("-v", "--verbose", count=True, help="Log what is done; -vv: each request too.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
def cli(verbose: int, quiet: bool) -> None:
    """Measure which deep-learning frameworks the models on the Hugging Face Hub serve."""
    if verbose and quiet:
        raise click.UsageError("-v cannot be combined with -q.")
    from hfscan.cli import _verbosity  # noqa: PLC0415 - `hfscan --help` needs no logging

    _verbosity.configure(verbose, quiet)


def main() -> None:
    """Run the command line; every expected error is one message on stderr and its exit code."""
    _streams.guard()
    with Signals().handled() as signals:
        try:
            code = _run()
        except (Exception, KeyboardInterrupt) as error:
            code = _explain(error, signals)
    if signals.received is signal.SIGTERM:
        code = _TERMINATED
    sys.exit(code)


def _run() -> int:
    """Run the command; return its exit code once all of its output is written."""
    try:
        # without standalone mode click returns the code of an exit instead of raising it
        code = cli.main(prog_name="hfscan", standalone_mode=False)
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _explain(error: BaseException, signals: Signals) -> int:
    """Say what ended the command, if there is something to say; return its exit code."""
    if isinstance(error, _streams.ReaderLeft):
        return _READER_LEFT
    if signals.received is not None or isinstance(error, click.Abort | KeyboardInterrupt):
        # whatever the error is, it is how the signal reached us
        what = "Terminated" if signals.received is signal.SIGTERM else "Interrupted"
        echo(f"{what}. Nothing is lost: the same command goes on from here.", err=True)
        return _INTERRUPTED
    if isinstance(error, click.ClickException):
        show_error(error)
        return error.exit_code
    if isinstance(error, HfscanError):
        echo(f"Error: {error}", err=True)
        return error.exit_code
    raise error
