"""Write the README of an export: a dataset card for the Hub."""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants

from hfscan._version import __version__
from hfscan.export.folder import Exported
from hfscan.figures import SnapshotView
from hfscan.fs import write_output
from hfscan.report import ReportRequest, build, render_text
from hfscan.store import Snapshot, Store
from hfscan.text import format_count, sanitize

_CARD = Path(__file__).with_name("card.md")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))  # fmt: skip


def write_card(
    exported: Exported, *, repo: str | None = None, license: str = "other", url: str | None = None
) -> None:
    """Write README.md into the export; `repo` is the Hub's dataset that it is for, at `url`."""
    snapshot, rows = exported.snapshot, exported.rows
    url = url or (f"{constants.ENDPOINT}/datasets/{repo}" if repo else None)
    where = f"hf://datasets/{repo}" if repo else "."
    loader = f'"{repo}", "models"' if repo else '"parquet", data_files="models/*.parquet"'
    report = f"hfscan report --from {where}" if repo else "hfscan import .\nhfscan report"
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
        report=report,
        quality="\n".join(f"- {_plain(text)}" for text in _describe_quality(exported)),
        author=repo.partition("/")[0] if repo else "hfscan contributors",
        url=f"\n  url = {{{url}}}," if url else "",
        day=f"{snapshot.observed_to:%F}",
        year=snapshot.observed_to.year,
        provenance=_describe_origin(snapshot),
    )
    write_output(exported.folder / "README.md", card, advice="choose another folder")


def write_page(store: Store, snapshot: Snapshot, folder: Path, *, dataset: str) -> None:
    """Write a static Space into the folder: the report on all models of a snapshot as its page.

    `dataset`: where the Space says that the numbers are.
    """
    folder.mkdir()
    page = render_text(build(SnapshotView(store, snapshot), ReportRequest()), "html")
    (folder / "index.html").write_text(page, encoding="utf-8")
    front = {
        "title": f"Models of the Hugging Face Hub, {snapshot.observed_to:%F}",
        "sdk": "static",
        "datasets": f"[{dataset}]",
    }
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    text = f"---\n{lines}---\n\nThe report of hfscan on the dataset {dataset}.\n"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _describe_origin(snapshot: Snapshot) -> str:
    """Return where the metadata was read, as a sentence."""
    origin = _plain(snapshot.origin)
    if snapshot.kind == "import":
        return f"The metadata was imported from {origin}, which recorded public models of the Hub."
    return f"The metadata was read from the public API of {origin}, which lists public models only."


def _describe_quality(exported: Exported) -> Iterator[str]:
    """Yield what the snapshot lacks, what could not be read, and what is implausible in it."""
    snapshot = exported.snapshot
    if snapshot.complete is None:
        yield "It is not stated whether the snapshot has every public model."
    elif not snapshot.complete:
        yield "The snapshot is not complete: it may lack models."
    if snapshot.missing_columns:
        yield f"Not recorded, so unknown for all models: {', '.join(snapshot.missing_columns)}."
    for column in snapshot.unreadable:
        count = format_count(column.models, "model")
        yield f"Could not be read, so unknown: {column.field} of {count}."
    yield from (flag.message for flag in exported.flags)
    if not exported.flags:
        yield "The checks found no implausible counters, duplicates or missing parts."


def _plain(text: str) -> str:
    """Return the text without markup and control characters."""
    return "".join(" " if char in "<>`|[]" else char for char in sanitize(text))
