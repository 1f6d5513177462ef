"""docs/cli.md from the commands themselves: `python tools/cli.py > docs/cli.md`."""

from datetime import UTC, datetime
from inspect import cleandoc

import click

from hfscan import errors
from hfscan.cli import COMMANDS, cli

_HEAD = """# Command line

What `hfscan COMMAND --help` says, and what all commands share. This page is made from the commands
by `tools/cli.py`.

## Environment and exit codes

| Variable | |
| --- | --- |
| `HFSCAN_DB` | the database, instead of `hfscan.duckdb` in the current folder |
| `HFSCAN_FULL`, `HFSCAN_ALLOW_DROP` | `true`: `hfscan snapshot` as with `--full`, `--allow-drop` |
| `HF_ENDPOINT` | the Hub, instead of the public one; its address alone, without credentials |
| `HFSCAN_REWRITE_LINKS` | `true`: as with `--rewrite-links` |
| `HFSCAN_ALLOW_HTTP_TOKEN` | `true`: as with `--allow-http-token` |
| `HF_TOKEN` | sent to the Hub's own host only; raises the quota; never stored or logged |
| `HF_HOME` | where the Hub's tools keep the token of `hf auth login` and their cache |
| `HF_HUB_OFFLINE` | set, nothing asks the Hub |
| `HF_HUB_USER_AGENT_ORIGIN` | who asks, told to the Hub in the User-Agent |
| `NO_COLOR` | no colour |
"""

_ELSEWHERE = {
    0: "Done.",
    1: "An error of hfscan itself; or `parity` or `doctor` found something wrong.",
    130: "Interrupted. Nothing is lost.",
    141: "The reader of the output left.",
    143: "Terminated (SIGTERM). Nothing is lost.",
}
"""Exit codes that no error class stands for."""


def page() -> str:
    """Return the page."""
    raised = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.HfscanError)
    ]
    codes = _ELSEWHERE | {
        one.exit_code: cleandoc(one.__doc__ or "") for one in raised if one.exit_code != 1
    }
    told = ["", "| Exit code | |", "| --- | --- |"]
    told += [f"| {code} | {meaning} |" for code, meaning in sorted(codes.items())]
    shared = ["", "Before the command, as in `hfscan -v crawl`:", "", *_table(cli), ""]
    sections = (_section(name) for name in COMMANDS)
    return "\n".join([_HEAD.rstrip(), *told, *shared, *sections])


def _section(name: str, parent: click.Group = cli, context: click.Context | None = None) -> str:
    context = context or click.Context(cli, info_name="hfscan")
    command = parent.get_command(context, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=context)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## {context.command_path}", "", f"    {usage}", "", cleandoc(command.help or ""), ""]
    lines += (options := _table(command, context))
    if isinstance(command, click.Group):
        lines += [_section(one, command, context) for one in command.commands]
    return "\n".join([*lines, *([""] if options else [])])


def _table(command: click.Command, context: click.Context | None = None) -> list[str]:
    """Return the rows of a command's options; none without options."""
    context = context or click.Context(command)
    rows = []
    for option in command.params:
        if isinstance(option, click.Option):
            said = [part.replace("|", " or ") for part in option.get_help_record(context) or ()]
            rows.append(f"| `{said[0]}` | {said[1].replace(_THIS_YEAR, '<=this year]')} |")
    return ["| Option | |", "| --- | --- |", *rows] if rows else []


_THIS_YEAR = f"<={datetime.now(UTC).year}]"
"""The bound of --year, which the page is not to follow."""


if __name__ == "__main__":
    print(page(), end="")
