"""Compare `classify` with labels.tsv: print the precision and recall of each framework.

labels.tsv has made-up names with the file layouts of real repositories: repo, library, tags and
files (separated by commas), the frameworks and runtimes that the files show, and the reason.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hfscan
from hfscan.frameworks import taxonomy

FILE = Path(__file__).with_name("labels.tsv")
COMPARED = frozenset(
    framework.key
    for framework in taxonomy().frameworks
    if framework.kind in ("framework", "runtime")
)


class LabelledModel(NamedTuple):
    repo: str
    model: dict[str, Any]
    frameworks: frozenset[str]
    reason: str


class Score(NamedTuple):
    """Labelled repositories of a framework: found, missed, and found wrongly."""

    found: int
    missed: int
    wrong: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


def read_labels() -> list[LabelledModel]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [
            LabelledModel(
                row["repo"],
                {
                    "id": row["repo"],
                    "library_name": row["library"] or None,
                    "tags": _split(row["tags"]),
                    "siblings": _split(row["files"]),
                },
                frozenset(_split(row["frameworks"])),
                row["reason"],
            )
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def _split(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def find_errors() -> Iterator[tuple[LabelledModel, frozenset[str]]]:
    """Yield the models whose frameworks differ from the label, with what was found."""
    for labelled in read_labels():
        found = hfscan.classify(labelled.model).weights
        assert found is not None
        if found & COMPARED != labelled.frameworks:
            yield labelled, found & COMPARED


def score() -> dict[str, Score]:
    """Return framework -> score, of those that a label or an error names."""
    counts = {what: Counter[str]() for what in ("found", "missed", "wrong")}
    errors = {labelled.repo: found for labelled, found in find_errors()}
    for labelled in read_labels():
        found = errors.get(labelled.repo, labelled.frameworks)
        counts["found"].update(found & labelled.frameworks)
        counts["missed"].update(labelled.frameworks - found)
        counts["wrong"].update(found - labelled.frameworks)
    names = [key for key in taxonomy().titles if any(count[key] for count in counts.values())]
    return {
        key: Score(*(counts[what][key] for what in ("found", "missed", "wrong"))) for key in names
    }


def main() -> None:
    print(f"{'framework':12} {'labels':>6} {'precision':>9} {'recall':>6}")
    for key, result in score().items():
        labels = result.found + result.missed
        print(f"{key:12} {labels:6} {result.precision:9.3f} {result.recall:6.3f}")
    for labelled, found in find_errors():
        names = (", ".join(sorted(keys)) or "none" for keys in (found, labelled.frameworks))
        print(f"{labelled.repo}: {', not '.join(names)}: {labelled.reason}")


if __name__ == "__main__":
    main()
