"""What `hfscan show` follows over time: a model, an account, or a family of models."""

from dataclasses import dataclass
from typing import Literal

from hfscan.errors import NotFoundError
from hfscan.figures.quality import find_partial
from hfscan.figures.queries import load
from hfscan.figures.view import SnapshotView
from hfscan.store import Snapshot, Store, latest_snapshot, require_snapshots

_FAMILY = "family:"


@dataclass(frozen=True)
class Subject:
    """A model, account or family by its name.

    `view`: the newest snapshot that lacks no part; a family is what its models declare.
    """

    kind: Literal["model", "author", "family"]
    name: str
    view: SnapshotView

    @property
    def report(self) -> str:
        """The name of its report, and the beginning of the names of its queries."""
        return "model" if self.kind == "model" else "group"

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of its queries."""
        return {self.kind: self.name}


def find_subject(store: Store, name: str) -> Subject:
    """Return what a repo id (also a former one), an `_id`, an account or `family:ID` stands for.

    A name of a model and an account is the model. Raises NotFoundError when no snapshot holds it,
    naming similar ones.
    """
    view = SnapshotView(store, _choose_whole(store))
    is_family = name.startswith(_FAMILY)
    sought = name.removeprefix(_FAMILY)
    query = load("subject")
    kinds = {row["kind"] for row in query.run(store, {"name": sought})}
    if is_family and "model" in kinds:
        (model,) = load("model_summary").run(store, {"model": sought})
        return Subject("family", model["id"], view)  # by its last name
    if kinds and not is_family:
        return Subject("model" if "model" in kinds else "author", sought, view)
    if is_family and kinds:
        raise NotFoundError(
            f"{sought} is an account, and a family is that of a model. Name the model "
            "(family:OWNER/NAME), or the account alone."
        )
    found = query.run(store, {"name": sought, "similar": True})
    similar = ", ".join(row["name"] for row in found if row["kind"] == "model" or not is_family)
    raise NotFoundError(
        f"No snapshot holds a model{'' if is_family else ' or account'} {sought!r}."
        + (f" Similar names: {similar}." if similar else "")
    )


def _choose_whole(store: Store) -> Snapshot:
    """Return the newest snapshot that is not partial; the newest, if all are."""
    known = require_snapshots(store)
    partial = {flag.snapshot for flag in find_partial(store)}
    whole = [snapshot for snapshot in known if snapshot.id not in partial]
    return latest_snapshot(whole or known)
