"""Write the README of an export: a dataset card for the Hub."""

from pathlib import Path

from hfscan._version import __version__
from hfscan.export.folder import Exported
from hfscan.fs import write_output
from hfscan.text import sanitize

_CARD = Path(__file__).with_name("card.md")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))  # fmt: skip


def write_card(exported: Exported, *, repo: str | None = None, license: str = "other") -> None:
    """Write README.md into the export; `repo` is the dataset that it is for, on the Hub."""
    snapshot, rows = exported.snapshot, exported.rows
    where = f"hf://datasets/{repo}" if repo else "."
    loader = f'"{repo}", "models"' if repo else '"parquet", data_files="models/*.parquet"'
    notes = [f"The models are synthetic: {snapshot.synthetic}."] if snapshot.synthetic else []
    if snapshot.sample_design:
        notes.append(f"A sample: {snapshot.sample_design}.")
    scope = {"author": snapshot.author, "task": snapshot.task, "limit": snapshot.model_limit}
    if limits := ", ".join(f"{name} {value}" for name, value in scope.items() if value is not None):
        notes.append(f"Only a part of the Hub: {limits}.")
    card = _CARD.read_text(encoding="utf-8").format(
        title=f"Census of the Hugging Face Hub, {snapshot.observed_to:%F}",
        license=license,
        size=next((name for most, name in _SIZES if rows["models"] < most), "10M<n<100M"),
        rows=rows,
        kind="a crawl" if snapshot.kind == "crawl" else "an import",
        since=f"{snapshot.observed_from:%F %T}",
        until=f"{snapshot.observed_to:%F %T}",
        notes="".join(f"\n> {_plain(note)}\n" for note in notes),
        version=__version__,
        place=where,
        loader=loader,
        origin=_plain(snapshot.origin),
    )
    write_output(exported.folder / "README.md", card, advice="choose another folder")


def _plain(text: str) -> str:
    """Return the text without markup and control characters."""
    return "".join(" " if char in "<>`|[]" else char for char in sanitize(text))
