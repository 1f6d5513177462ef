"""Show progress on stderr: a bar on a terminal, else one line for each wait of a crawl."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from hfscan.cli._output import echo, is_quiet
from hfscan.text import format_count, sanitize

if TYPE_CHECKING:
    from hfscan import hub

T = TypeVar("T")


@contextmanager
def show_progress() -> Iterator[Callable[[hub.Progress], None] | None]:
    """Yield a callback that displays progress, or None with -q."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if is_quiet() or not console.is_terminal:
        yield None if is_quiet() else _print_wait
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} models"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[pages]:,} pages, {task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[notice]}", markup=False),  # may contain the Hub's text
        console=console,
        transient=True,
    )
    task = bar.add_task("crawl", total=None, pages=0, rate="", notice="connecting to the Hub")

    def show(state: hub.Progress) -> None:
        speed = bar.tasks[0].speed
        resumed = (
            f"({format_count(state.pages_resumed, 'page')} from an earlier run)"
            if state.pages_resumed
            else ""
        )
        bar.update(
            task,
            completed=state.models,
            total=state.total,
            pages=state.pages,
            rate=f"{speed:,.0f} models/s" if speed else "",
            notice=sanitize(state.notice or resumed, 200),
        )

    with bar:
        yield show


@contextmanager
def show_activity(label: str) -> Iterator[None]:
    """Show on a terminal that work goes on, and for how long, unless -q was given.

    Nothing may be written to stdout meanwhile: both can be the same terminal.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=is_quiet() or not console.is_terminal,
    )
    bar.add_task(label, total=None)
    with bar:
        yield


def show_steps(steps: Sequence[T], label: str) -> Iterable[T]:
    """Yield the steps, with a bar on a terminal unless -q was given."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    is_hidden = is_quiet() or not console.is_terminal
    return track(steps, label, console=console, transient=True, disable=is_hidden)


def _print_wait(state: hub.Progress) -> None:
    if state.waiting:
        echo(f"After {format_count(state.models, 'model')}: {state.notice}", err=True)
