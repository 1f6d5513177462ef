"""Generate docs/cli.md from the commands: `python tools/cli.py > docs/cli.md`."""

from datetime import UTC, datetime
from inspect import cleandoc

import click

from hfscan import errors
from hfscan.cli import COMMANDS, cli

_HEAD = """# Command line

The help of every command, and the environment variables and exit codes that they share. Generated
by `tools/cli.py`.

## Environment and exit codes

| Variable | Meaning |
| --- | --- |
| `HFSCAN_DB` | database file; default: `hfscan.duckdb` in the current folder |
| `HFSCAN_OWNER` | owner of a dataset that `--from hf://datasets/NAME` names without one |
| `HFSCAN_BACKENDS` | folder of the environments that `hfscan parity setup` makes |
| `HFSCAN_FULL`, `HFSCAN_ALLOW_DROP` | `true`: same as `--full`, `--allow-drop` |
| `HF_ENDPOINT` | URL of the Hub, without credentials; default: the public Hub |
| `HFSCAN_REWRITE_LINKS` | `true`: same as `--rewrite-links` |
| `HFSCAN_ALLOW_HTTP_TOKEN` | `true`: same as `--allow-http-token` |
| `HF_TOKEN` | access token; raises the rate limit; sent to the Hub only, never stored or logged |
| `HF_HOME` | folder with the token of `hf auth login` and the cache |
| `HF_HUB_OFFLINE` | if set, no requests to the Hub |
| `HF_HUB_USER_AGENT_ORIGIN` | added to the User-Agent |
| `NO_COLOR` | if set, no colours |

## Terminal, pipes and files

On a terminal, text and tables fit its width. Words stay intact; a table that does not fit is
printed without its empty columns, or as a list of records. A pipe or a file gets the same text
without colours, in 80 columns. Progress of long commands is shown on stderr, only on a terminal and
without `-q`. For other programs, choose `--format json` or `csv`.

`hfscan report` prints a summary of at most 25 lines, `--full` every section, `--by GROUPING` that
table alone. Its three caveats follow a rule: first those of the data (invented, a sample, a part,
unreadable, implausible, perhaps incomplete), then those of unknown effect (deleted models), then
other ways to count (definition, frameworks compared, weight, undated models, largest accounts), by
how far each moves the share of the headline.

## Shell completion

Commands, options and values (reports, queries, claims, frameworks, snapshots) are completed after:

    source <(_HFSCAN_COMPLETE=bash_source hfscan)         # in ~/.bashrc; bash 4.4 or later
    source <(_HFSCAN_COMPLETE=zsh_source hfscan)          # in ~/.zshrc, after compinit
    _HFSCAN_COMPLETE=fish_source hfscan | source          # in ~/.config/fish/config.fish
"""

_GENERAL_CODES = {
    0: "Done.",
    1: "Internal error, or `parity` or `doctor` found a problem.",
    130: "Interrupted. Stored data is kept.",
    141: "The reader of the output closed the pipe.",
    143: "Terminated (SIGTERM). Stored data is kept.",
}
"""Exit codes without an error class."""


def page() -> str:
    """Return the page."""
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.HfscanError)
    ]
    codes = _GENERAL_CODES | {
        error.exit_code: cleandoc(error.__doc__ or "") for error in classes if error.exit_code != 1
    }
    exits = ["", "| Exit code | Meaning |", "| --- | --- |"]
    exits += [f"| {code} | {meaning} |" for code, meaning in sorted(codes.items())]
    shared = ["", "Options before the command, as in `hfscan -v crawl`:", "", *_table(cli), ""]
    sections = (_section(name) for name in COMMANDS)
    return "\n".join([_HEAD.rstrip(), *exits, *shared, *sections])


def _section(name: str) -> str:
    context = click.Context(cli, info_name="hfscan")
    command = cli.get_command(context, name)
    assert command is not None
    context = click.Context(command, parent=context, info_name=name, show_default=True)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## {context.command_path}", "", f"    {usage}", "", cleandoc(command.help or ""), ""]
    if options := _table(command, context):
        lines += [*options, ""]
    if examples := getattr(command, "examples", None):
        lines += ["Examples:", "", *(f"    {line}" for line in examples), ""]
    return "\n".join(lines)


def _table(command: click.Command, context: click.Context | None = None) -> list[str]:
    """Return the table of a command's options, or no lines."""
    context = context or click.Context(command)
    rows = []
    for option in command.params:
        if isinstance(option, click.Option):
            name, text = [
                part.replace("|", " or ") for part in option.get_help_record(context) or ("", "")
            ]
            rows.append(f"| `{name}` | {text.replace(_THIS_YEAR, '<=this year]')} |")
    return ["| Option | Meaning |", "| --- | --- |", *rows] if rows else []


_THIS_YEAR = f"<={datetime.now(UTC).year}]"
"""The upper bound of --year, replaced so that the page does not change every year."""


if __name__ == "__main__":
    print(page(), end="")
