"""Judge whether a loader filled a model with a file's weights, and with nothing else."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hfscan.parity.tables import read_table
from hfscan.parity.weights import first_of

Table = Mapping[str, Mapping[str, Any]]  # name -> a row of backends/_tensors.describe


def remove_ignored(keys: Iterable[str], model_type: str) -> list[str]:
    """Return the keys that no entry of `ignored_keys.toml` matches."""
    patterns = [
        entry["pattern"]
        for entry in read_table("ignored_keys")["ignore"]
        if re.fullmatch(entry.get("family", ".*"), model_type)
    ]
    return [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in patterns)]


def find_loading_fault(
    loading: Mapping[str, Sequence[str]],
    model_type: str,
    table: Table,
    groups: Sequence[Sequence[str]] | None,
    find_digests: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> str | None:
    """Return what the loader lost or made up, or None.

    `table`: the file's tensors. `groups`: the names of each tensor of the model, several if it is
    tied; None if not reported. A key is excused by content: a missing one if its tensor was loaded
    under another name, an unexpected one if the file holds its values under another name.
    `find_digests`: maps names, with the SHA-256 of the file where it has them, to those of tensors
    of the model, as far as its backend can.
    """
    if loading["unset"]:
        unset = first_of(loading["unset"])
        return f"{unset} left without values (on the meta device), without an error"
    content = _Content(table, groups or ())
    if groups is not None and (conflict := content.find_conflict()):
        return conflict
    tensors = {*table, *(row["source"] for row in table.values())}
    missing = [key for key in loading["missing"] if not content.is_loaded(key)]
    # TensorFlow's loader also reports layers without any tensor, such as dropout
    unexpected = [key for key in loading["unexpected"] if any(key in name for name in tensors)]
    if groups is not None:
        made_up, lost = content.made_up(missing), content.lost()
        if made_up:
            digests = find_digests(dict.fromkeys(made_up, ""))
            made_up = [name for name in made_up if not content.has_values(digests.get(name))]
        if lost:
            expected = {name: content.digest(name) for name in lost}
            computed = {
                name for name, sha in find_digests(expected).items() if sha == expected[name]
            }
            lost = [name for name in lost if name not in computed]
            unexpected = [name for name in unexpected if name not in computed]
        missing, unexpected = made_up or missing, lost or unexpected
    faults = []
    for keys, phrase in (
        (loading["mismatched"], "not of the shape that the config requires"),
        (missing, "not in the file and newly initialised"),
        ([key for key in unexpected if not content.is_copy(key)], "in the file but not loaded"),
    ):
        if names := remove_ignored(dict.fromkeys(keys), model_type):
            faults.append(f"{first_of(names)} {phrase}")
    return "; ".join(faults) or None


class _Content:
    """Which tensors of a file a model holds. Names are the model's where it has them."""

    def __init__(self, table: Table, groups: Sequence[Sequence[str]]) -> None:
        self._groups = groups
        self._names = {name for group in groups for name in group}
        tails = _unique_tails(self._names)
        names_in_model = {**tails, **{name: name for name in self._names}}
        file_tails = {name: tail for tail, name in _unique_tails(table).items()}
        self._rows = {}
        for name, row in table.items():
            known = (names_in_model.get(option) for option in (name, file_tails.get(name, "")))
            self._rows[next(filter(None, known), name)] = row

    def find_conflict(self) -> str | None:
        """Return two tensors of the file that differ but that the model has as one."""
        for group in self._groups:
            stored = [name for name in group if name in self._rows]
            for name in stored[1:]:
                if self._rows[name]["sha256"] != self._rows[stored[0]]["sha256"]:
                    return f"{name} differs from {stored[0]}, but the model has one tensor for both"
        return None

    def is_loaded(self, key: str) -> bool:
        """Return whether the file has the tensor of this key under another name."""
        return any(
            key in group and self._is_stored(name for name in group if name != key)
            for group in self._groups
        )

    def made_up(self, reported: Iterable[str]) -> list[str]:
        """Return the model's tensors that the file does not have, or that the loader reports."""
        absent = [group[0] for group in self._groups if not self._is_stored(group)]
        return [*absent, *(key for key in reported if key in self._names and key not in absent)]

    def has_values(self, digest: str | None) -> bool:
        """Return whether some tensor of the file has these values."""
        return any(row["sha256"] == digest for row in self._rows.values())

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a tensor of the file."""
        return str(self._rows[name]["sha256"])

    def lost(self) -> list[str]:
        """Return the file's weights that the model does not have."""
        return [
            name
            for name, row in self._rows.items()
            if name not in self._names and row["dtype"].startswith(("float", "bf"))
        ]

    def is_copy(self, key: str) -> bool:
        """Return whether the file has these values elsewhere, not only in another layer."""
        return any(
            key in {name, row["source"]}
            and any(
                row["sha256"] == other["sha256"] and _kind(name) != _kind(other_name)
                for other_name, other in self._rows.items()
            )
            for name, row in self._rows.items()
        )

    def _is_stored(self, group: Iterable[str]) -> bool:
        return any(name in self._rows for name in group)


def _unique_tails(names: Iterable[str]) -> dict[str, str]:
    """Map names without their outermost scope, which not every file has, to the names."""
    pairs = [(name.partition(".")[2], name) for name in names]
    counts = Counter(tail for tail, _ in pairs)
    return {tail: name for tail, name in pairs if tail and counts[tail] == 1}


def _kind(name: str) -> str:
    """Return a name without numbers: the same for a tensor of every layer."""
    return re.sub(r"\d+", "#", name)
