"""Where a report goes, and in which formats."""

import io
import sys
from pathlib import Path

import click

from hfscan.cli._verbosity import note
from hfscan.errors import StorageError
from hfscan.report import FORMATS, Report, write_folder

formats_option = click.option(
    "--format",
    "formats",
    type=click.Choice([*FORMATS, "csv"]),
    multiple=True,
    help="Repeatable, with a folder as --out. csv is a file for each section.  "
    "[default: terminal, or what the ending of --out says]",
)

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write to this file, or, where the name has no ending, to this folder.",
)


def write(report: Report, formats: tuple[str, ...], out: Path | None) -> None:
    """Write the report to stdout, a file or a folder."""
    formats = formats or (_format_of(out),)
    several = len(formats) > 1 or "csv" in formats
    if out is None:
        if several:
            raise click.UsageError("csv, and more than one format, need a folder: give --out DIR.")
        FORMATS[formats[0]](report, sys.stdout)
    elif several or out.is_dir() or not out.suffix:
        for path in write_folder(report, formats, out):
            note(f"Wrote {path}")
    else:
        text = io.StringIO()
        FORMATS[formats[0]](report, text)
        try:
            out.write_text(text.getvalue(), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
        note(f"Wrote {out}")


def _format_of(out: Path | None) -> str:
    if out is not None and not out.suffix:
        return "html"
    endings = {".md": "md", ".json": "json", ".html": "html"}
    return endings.get(out.suffix.lower() if out else "", "terminal")
