"""Write the finding of a run: the sentence that heads its report, by rule from the verdicts.

What was not checked never counts as agreeing: a sentence says "all" only of what was, and names the
rest.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from hfscan.frameworks import taxonomy
from hfscan.parity.result import DIFFERENT, FileVerdict, Verdict
from hfscan.text import format_count, join_words, sanitize

_MAX_NAME = 60  # characters of a checkpoint's name
BY_SOME = " by at least one load method"
"""What agrees where another load method of the same file does not."""
_WEIGHTS = {Verdict.WEIGHTS_DIFFER}  # then the files differ, not the backends


class CheckpointFinding:
    """What was found for a checkpoint, from the verdicts on its files."""

    def __init__(self, files: Sequence[FileVerdict]) -> None:
        self.name = sanitize(files[0].checkpoint, _MAX_NAME)
        self.files = files
        self.checked = [file for file in files if file.is_checked]
        self.failing = [file for file in self.checked if file.verdict != Verdict.AGREE]
        self.differing = [file for file in self.failing if file.verdict in DIFFERENT]

    @property
    def suspect(self) -> str | None:
        """The backend that is wrong, if the float64 run shows one and the same for all."""
        found = {
            result.reference["suspect_backend"]
            for file in self.differing
            for result in file.results
        }
        return found.pop() if len(found) == 1 else None


def describe_run(files: Iterable[FileVerdict]) -> str:
    """Return the finding of a run, without a full stop."""
    by_name: dict[str, list[FileVerdict]] = {}
    for file in files:
        by_name.setdefault(file.checkpoint, []).append(file)
    checkpoints = list(map(CheckpointFinding, by_name.values()))
    if not checkpoints:
        return "No checkpoint was checked"
    unchecked = [found for found in checkpoints if not found.checked]
    if len(unchecked) == len(checkpoints):
        return _describe_unchecked(checkpoints)
    differing = [found for found in checkpoints if found.differing]
    failing = [found for found in checkpoints if found.failing and not found.differing]
    if not (differing or failing):
        subject = _name_part(len(checkpoints) - len(unchecked), checkpoints)
        text = _describe_agreement(subject, [found for found in checkpoints if found.checked])
        missing = f"; {len(unchecked):,} {_describe_missing(unchecked, len(checkpoints))}"
        return text + (missing if unchecked else "")
    parts = [
        (found, describe(found, len(checkpoints)))
        for found, describe in (
            (differing, _describe_differences),
            (failing, _describe_failures),
            (unchecked, _describe_missing),
        )
        if found
    ]
    (first, text), *others = parts
    # of what else was found only the number, to keep the sentence short
    more = (f"; {len(found):,} {part.partition(':')[0]}" for found, part in others)
    subject = _name_part(len(first), checkpoints)
    return f"{subject} {text}{_name_precision(checkpoints)}{''.join(more)}"


_TITLES = {
    "flax": "Flax",
    "keras-jax": "Keras on JAX",
    "keras-torch": "Keras on PyTorch",
    "litert": "LiteRT",
    "none": "no backend",
    "torch-export": "torch.export",
}
"""Backend that is no framework of the taxonomy -> title."""


def describe_backend(label: str) -> str:
    """Return a backend's title; `label`: its name, with the device if that is not the CPU."""
    name, _, device = label.partition(" ")
    title = _TITLES.get(name) or taxonomy().titles.get(name, name)
    return " ".join(filter(None, (title, device)))


def _describe_agreement(subject: str, checkpoints: Sequence[CheckpointFinding]) -> str:
    """Return in which backends all of these agree, and where something was not checked.

    `subject`: the first words, which say how many they are.
    """
    count = len(checkpoints)
    subject += " agrees" if count == 1 else " agree"
    checked = Counter(
        backend for found in checkpoints for backend in {file.backend for file in found.checked}
    )
    files = [file for found in checkpoints for file in found.files]
    order = list(dict.fromkeys(file.backend for file in files if file.backend != "none"))
    complete = [backend for backend in order if checked[backend] == count]
    baselines = {file.backend for file in files if file.verdict == Verdict.BASELINE}
    where = join_words(map(describe_backend, complete or order))
    if not complete:
        text = f"{subject} where they were checked"
    elif baselines:
        own = join_words(describe_backend(name) for name in order if name in baselines)
        text = f"{subject} in {where} with the baseline in {own}"
    elif len(complete) == 1:
        text = f"{subject} with float64 in {where}"
    else:
        text = f"{subject} in {where}"
    if any(file.is_by_some for found in checkpoints for file in found.checked):
        text += BY_SOME
    text += _name_precision(checkpoints)
    for backend in order:
        if backend not in {*complete, *baselines}:
            number = f"{count - checked[backend]:,} " if count > 1 else ""
            text += f"; {number}not checked in {describe_backend(backend)}"
    return text


def _describe_differences(differing: Sequence[CheckpointFinding], count: int) -> str:
    """Return that these of `count` checkpoints differ, and where or which backend is wrong."""
    verb = "differs" if len(differing) == 1 else "differ"
    suspects = [found.suspect for found in differing]
    if all(suspects):
        wrong = Counter(describe_backend(str(suspect)) for suspect in suspects)
        if len(differing) > 1:
            parts = [f"{name} is wrong on {number:,}" for name, number in wrong.most_common()]
            return f"{verb}: {', '.join(parts)}"
        (name,) = wrong
        return f"{verb}: {name} is wrong" + (f" on {differing[0].name}" if count > 1 else "")
    if {file.verdict for found in differing for file in found.differing} == _WEIGHTS:
        if len(differing) > 1:
            return f"{verb} in their weights"
        return f"{verb} in its weights" + (f": {differing[0].name}" if count > 1 else "")
    return verb + _locate([found.differing for found in differing], count)


def _describe_failures(failing: Sequence[CheckpointFinding], count: int) -> str:
    """Return that these of `count` checkpoints could not be compared somewhere."""
    return f"could not be compared{_locate([found.failing for found in failing], count)}"


def _describe_missing(unchecked: Sequence[CheckpointFinding], _count: int) -> str:
    return "was not checked" if len(unchecked) == 1 else "were not checked"


def _locate(groups: Sequence[Sequence[FileVerdict]], count: int) -> str:
    """Return in which backends checkpoints have these verdicts; of a single one also its name."""
    found = Counter(
        describe_backend(backend)
        for files in groups
        for backend in dict.fromkeys(file.backend for file in files)
        if backend != "none"
    )
    where = f" in {join_words(found)}" if found else ""
    if len(groups) > 1:
        if len(found) > 1 and set(found.values()) != {len(groups)}:
            return ": " + ", ".join(f"{number:,} in {name}" for name, number in found.most_common())
        return where
    verdicts = join_words(dict.fromkeys(str(file.verdict) for file in groups[0]))
    name = f": {sanitize(groups[0][0].checkpoint, _MAX_NAME)}" if count > 1 else ""
    return f"{name}{where} ({verdicts})"


def _describe_unchecked(checkpoints: Sequence[CheckpointFinding]) -> str:
    """Return that nothing was compared, and why, if it is the same for all."""
    count, first = len(checkpoints), checkpoints[0].name
    verdicts = {file.verdict for found in checkpoints for file in found.files}
    backends = {file.backend for found in checkpoints for file in found.files} - {"none"}
    if not backends:
        return f"No backend opens {first if count == 1 else f'any of the {count:,} checkpoints'}"
    subject = f"{first} was not" if count == 1 else f"None of the {count:,} checkpoints was"
    if Verdict.BASELINE in verdicts and len(backends) == 1:
        return f"{subject} compared: only {describe_backend(backends.pop())} was run"
    return f"{subject} compared ({join_words(sorted(map(str, verdicts)))})"


def _name_part(number: int, checkpoints: Sequence[CheckpointFinding]) -> str:
    """Return the first words of a sentence about so many of the checkpoints."""
    count = len(checkpoints)
    if count == 1:
        return checkpoints[0].name
    if number < count:
        return f"{number:,} of {format_count(count, 'checkpoint')}"
    return "Both checkpoints" if count == 2 else f"All {format_count(count, 'checkpoint')}"


def _name_precision(checkpoints: Sequence[CheckpointFinding]) -> str:
    """Return the precisions of what was checked, unless that is float32 alone."""
    found = dict.fromkeys(file.results[0].dtype for part in checkpoints for file in part.checked)
    return "" if list(found) == ["float32"] else f" ({join_words(found)})"
