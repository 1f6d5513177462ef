"""`hfscan doctor`."""

import itertools
import sys
from pathlib import Path

import click
from huggingface_hub import constants, get_token

from hfscan import doctor
from hfscan.cli._command import Choice, Command
from hfscan.cli._hub import hub_options
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._streams import output
from hfscan.cli._verbosity import note
from hfscan.parity.worker import backend_names
from hfscan.report import ROW_FORMATS


@click.command("doctor", cls=Command)
@hub_options
@db_option
@click.option(
    "--backends/--no-backends", default=True, show_default=True, help="Start parity's backends."
)
@click.option(
    "--backend-python", multiple=True, metavar="BACKEND=INTERPRETER", help="May be repeated."
)
@click.option(
    "--format", "format_", type=Choice(["text", "json"]), default="text", show_default=True
)
def command(
    endpoint: str,
    rewrite_links: bool,
    allow_http_token: bool,
    db: Path,
    backends: bool,
    backend_python: tuple[str, ...],
    format_: str,
) -> None:
    """Look at all that hfscan needs, and say what to do about what is not well.

    Exit code 0: all that is needed is well. 1: there is a problem. Changes nothing, and asks the
    Hub for one model. A token is never shown.
    """
    pythons = dict(pair.split("=", 1) for pair in backend_python if "=" in pair)
    if len(pythons) < len(backend_python) or not set(pythons) <= set(backend_names()):
        raise click.BadParameter(
            f"give BACKEND=INTERPRETER; the backends are {', '.join(backend_names())}",
            param_hint="--backend-python",
        )
    problems, rows = 0, []
    for one in itertools.chain(
        doctor.versions(),
        doctor.database(db),
        doctor.hub(
            endpoint,
            get_token(),
            offline=constants.HF_HUB_OFFLINE,
            allow_http_token=allow_http_token,
            rewrite_links=rewrite_links,
        ),
        doctor.backends(backend_names() if backends else [], pythons, note),
    ):
        problems += one.state == "problem"
        rows.append(vars(one))
        if format_ == "text":
            echo(f"{one.state:7}  {one.area}: {one.found}")
            if one.advice:
                echo(f"{'':7}  {one.advice}")
    if format_ == "json":
        ROW_FORMATS["json"](rows, output(format_))
    sys.exit(1 if problems else 0)
