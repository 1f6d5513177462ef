"""Where a report goes, and in which formats."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from hfscan.cli._command import Choice
from hfscan.cli._streams import output
from hfscan.cli._verbosity import note
from hfscan.fs import write_output
from hfscan.report import FORMATS, Report, write_folder

ENDINGS = {".txt": "terminal", ".md": "md", ".json": "json", ".html": "html"}
"""Ending of a file -> the format that it holds."""

formats_option = click.option(
    "--format",
    "formats",
    type=Choice([*FORMATS, "csv"]),
    multiple=True,
    help="Repeatable, with a folder as --out. csv is a file for each section.  "
    "[default: terminal, or what the ending of --out says]",
)

out_option = click.option(
    "--out",
    metavar="PATH",
    help="Write to this file (.txt, .md, .json or .html), or, where the name has no ending, to "
    "this folder.",
)


@dataclass(frozen=True)
class Target:
    """Where to write which formats. `path` None: stdout."""

    formats: tuple[str, ...]
    path: Path | None
    is_folder: bool = False


def choose_target(formats: Iterable[str], out: str | None) -> Target:
    """Return where to write, once the options are known to agree. Raises UsageError.

    `out` names a folder where it ends with a slash, exists as one, or has no ending.
    """
    formats = tuple(dict.fromkeys(formats))
    several = len(formats) > 1 or "csv" in formats
    if out is None:
        if several:
            raise click.UsageError("csv, and more than one format, need a folder: give --out DIR.")
        return Target(formats or ("terminal",), None)
    if not out.strip():
        raise click.UsageError("--out is empty. Name a file or a folder.")
    path, ending = Path(out), Path(out).suffix.lower()
    slash = out.endswith(tuple(filter(None, (os.sep, os.altsep))))
    if path.is_dir() or slash or not ending or (several and ending not in (*ENDINGS, ".csv")):
        if path.exists() and not path.is_dir():
            raise click.UsageError(
                f"--out {out} is to be a folder, and there is a file of that name. Name another, "
                f"or a file with an ending ({', '.join(ENDINGS)})."
            )
        return Target(formats or ("html",), path, is_folder=True)
    if several or ending == ".csv":
        raise click.UsageError(
            f"--out {out} names a file, and csv (a file for each section) or more than one format "
            f"need a folder. Name one with --out, such as {path.with_suffix('')}, and the formats "
            "with --format."
        )
    if ending not in ENDINGS:
        raise click.UsageError(
            f"--out {out}: no format has the ending {ending}. Known: {', '.join(ENDINGS)}. A name "
            "without an ending, or with a slash at its end, is a folder's."
        )
    if formats and formats != (ENDINGS[ending],):
        right = next(one for one, format_ in ENDINGS.items() if format_ == formats[0])
        raise click.UsageError(
            f"--format {formats[0]} and --out {out} contradict each other. Leave --format out, or "
            f"name the file {path.with_suffix(right)}."
        )
    return Target((ENDINGS[ending],), path)


def write_report(report: Report, target: Target) -> None:
    """Write the report to stdout, a file or a folder. Raises StorageError."""
    out = target.path
    if out is None:
        FORMATS[target.formats[0]](report, output(target.formats[0]))
    elif target.is_folder:
        for path in write_folder(report, target.formats, out):
            note(f"Wrote {path}")
    else:
        text = io.StringIO()
        FORMATS[target.formats[0]](report, text)
        write_output(out, text.getvalue(), advice="choose another --out")
        note(f"Wrote {out}")
