"""Options for report files, and writing a report to its destination."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from hfscan.choices import EXTENSIONS, RESULT_FORMATS, TEXT_EXTENSIONS
from hfscan.cli._command import ARGUMENTS
from hfscan.cli._options import combine
from hfscan.cli._output import note
from hfscan.cli._progress import show_activity
from hfscan.cli._streams import output
from hfscan.cli._types import FILE, Choice
from hfscan.fs import write_output

if TYPE_CHECKING:
    from hfscan.report import Report

_RESULT_EXTENSIONS = {".csv": "csv", **EXTENSIONS}

_formats_option = click.option(
    "--format",
    "formats",
    type=Choice([*TEXT_EXTENSIONS.values(), "csv"]),
    multiple=True,
    help="Report format; repeatable if --out is a folder. csv: one file per section.  "
    "[default: from the extension of --out, else terminal]",
)

out_option = click.option(
    "--out",
    metavar="PATH",
    help="Write to this file (.txt, .md, .json, .html, or .svg and .png for its first chart). A "
    "name without extension is a folder.",
)

reports_option = click.option(
    "--reports",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with your own reports (NAME/report.toml) and claims (claims/*.toml).",
)


@dataclass(frozen=True)
class Target:
    """Formats to write, and where. `path` None: stdout."""

    formats: tuple[str, ...]
    path: Path | None
    is_folder: bool = False


def choose_target(
    formats: Iterable[str], out: str | None, extensions: Mapping[str, str] = EXTENSIONS
) -> Target:
    """Return the destination. Raises UsageError if the options contradict each other.

    `extensions`: of files -> format. `out` is a folder if it ends with a slash, exists as a folder,
    or has no extension.
    """
    formats = tuple(dict.fromkeys(formats))
    several = len(formats) > 1 or "csv" in formats
    if out is None:
        if several:
            raise click.UsageError("csv and multiple formats need a folder: give --out DIR.")
        return Target(formats or ("terminal",), None)
    if not out.strip():
        raise click.UsageError("--out is empty. Give a file or a folder.")
    path, extension = Path(out), Path(out).suffix.lower()
    slash = out.endswith(tuple(filter(None, (os.sep, os.altsep))))
    if out.endswith(".") and not path.is_dir():
        raise click.UsageError(
            f"--out {out} ends with a dot. Add an extension ({', '.join(extensions)}), or remove "
            "the dot to name a folder."
        )
    if (
        path.is_dir()
        or slash
        or not extension
        or (several and extension not in (*extensions, ".csv"))
    ):
        if path.exists() and not path.is_dir():
            if not path.is_file():
                raise click.UsageError(
                    f"--out {out} is no regular file. To write a report to stdout, omit --out and "
                    "choose its format with --format."
                )
            raise click.UsageError(
                f"--out {out} must be a folder, but a file with that name exists. Choose another "
                f"name, or a file with an extension ({', '.join(extensions)})."
            )
        return Target(formats or ("html",), path, is_folder=True)
    if several or extension == ".csv":
        raise click.UsageError(
            f"--out {out} is a file, but csv (one file per section) and multiple formats need a "
            f"folder. Use --out {path.with_suffix('')} and choose the formats with --format."
        )
    hint = " For a folder, use a name without extension or end it with a slash."
    return Target((match_format(next(iter(formats), None), path, extensions, hint),), path)


def match_format(
    format_: str | None, path: Path, extensions: Mapping[str, str], hint: str = ""
) -> str:
    """Return the format of a file by its extension.

    `extensions`: extension -> format. Raises UsageError on another extension, with the hint, or if
    `format_` is another format.
    """
    if (expected := extensions.get(path.suffix.lower())) is None:
        raise click.UsageError(
            f"--out {path} has no known extension. Known: {', '.join(extensions)}.{hint}"
        )
    if format_ not in (None, expected):
        suffix = next(key for key, value in extensions.items() if value == format_)
        raise click.UsageError(
            f"--format {format_} does not match --out {path}. Omit --format, or name the file "
            f"{path.with_suffix(suffix)}."
        )
    return expected


def _list_next_commands(report: Report) -> Iterator[list[str]]:
    """Yield the current command with options that show more."""
    from hfscan.report import list_next_options

    context = click.get_current_context()
    given = context.meta[ARGUMENTS]
    for options in list_next_options(report):
        if not any(argument.split("=")[0] == options[0] for argument in given):
            yield ["hfscan", *context.command_path.split()[1:], *given, *options]


target_options = combine("target", choose_target, _formats_option, out_option)


def write_report(report: Report, target: Target, *, is_full: bool = True) -> None:
    """Write the report to stdout, a file or a folder. Raises StorageError.

    `is_full`: also on a terminal, where otherwise a summary or the requested grouping suffices.
    """
    from hfscan.report import FORMATS, write_folder, write_groups, write_summary

    out = target.path
    if target == Target(("terminal",), None) and not is_full:
        if report.request.by:
            write_groups(report, sys.stdout)
        else:
            write_summary(report, sys.stdout, list(_list_next_commands(report)))
    elif out is None:
        FORMATS[target.formats[0]](report, output(target.formats[0]))
    elif target.is_folder:
        with show_activity("Writing the report"):
            paths = write_folder(report, target.formats, out)
        for path in paths:
            note(f"Wrote {path}")
    else:
        _write_file(report, target.formats[0], out)


def _write_file(report: Report, format_: str, path: Path) -> None:
    from hfscan.report import render_report

    with show_activity("Writing the report"):
        content = render_report(report, format_)
    write_file(content, path)


def write_text(write: Callable[[TextIO], None], format_: str, path: Path | None) -> None:
    """Write what `write` writes to a file, or to stdout. Raises StorageError."""
    if path is None:
        write(output(format_))
        return
    text = io.StringIO()
    write(text)
    write_file(text.getvalue(), path)


def note_new_folder(path: Path) -> None:
    """Say that the folder of a file is missing, so that it is made."""
    if not path.parent.exists():
        note(f"Making the folder {path.parent}.")


def write_file(content: str | bytes, path: Path) -> None:
    """Write a file. Raises StorageError."""
    note_new_folder(path)
    write_output(path, content, advice="choose another --out")
    note(f"Wrote {path}")


@dataclass(frozen=True)
class ResultTarget:
    """The format of the result of a query, and its file. `path` None: stdout."""

    format: str
    path: Path | None

    @property
    def is_report(self) -> bool:
        """Whether the file is a page or a chart."""
        return self.format not in RESULT_FORMATS

    @property
    def is_document(self) -> bool:
        """Whether people read the file by itself, so that it needs a title and notes."""
        return self.path is not None and self.format not in ("csv", "json")


def _choose_result_target(format_: str | None, out: Path | None) -> ResultTarget:
    if out is None:
        return ResultTarget(format_ or "terminal", None)
    return ResultTarget(match_format(format_, out, _RESULT_EXTENSIONS), out)


def write_report_file(report: Report, target: ResultTarget) -> None:
    """Write the report, or its first chart, to the file of `target`. Raises StorageError."""
    assert target.path is not None
    _write_file(report, target.format, target.path)


result_options = combine(
    "target",
    _choose_result_target,
    click.option(
        "--format",
        "format_",
        type=Choice(RESULT_FORMATS),
        help="Output format.  [default: from the extension of --out, else terminal]",
    ),
    click.option(
        "--out",
        type=FILE,
        metavar="FILE",
        help="Write to this file (.txt, .csv, .json, .md, .html, or .svg and .png for the chart).",
    ),
)
