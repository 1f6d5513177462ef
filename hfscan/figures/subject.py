"""What `hfscan show` follows over time: a model, an account, or a family of models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hfscan.errors import InvalidRequestError, NotFoundError
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
    is_family = name.lower().startswith(_FAMILY)
    sought = name[len(_FAMILY) :] if is_family else name
    if not sought.strip():
        raise InvalidRequestError(
            "The name is empty. Give a model (OWNER/NAME), an account (OWNER), or a family "
            "(family:OWNER/NAME)."
        )
    query = load("subject")
    rows = query.run(store, {"name": sought})
    models = {row["name"] for row in rows if row["kind"] == "model"}
    accounts = [row["name"] for row in rows if row["kind"] == "author"]
    is_exact = any(row["exact_match"] for row in rows)
    if models and is_exact and not is_family:
        return Subject("model", sought, view)
    names = [sought] if is_exact else models
    if models and (model := _find_last_name(store, names)):
        return Subject("family" if is_family else "model", model, view)
    if len(accounts) == 1 and not models and not is_family:
        return Subject("author", accounts[0], view)
    if is_family and accounts and not models:
        raise NotFoundError(
            f"{sought} is an account, and a family is that of a model. Name the model "
            "(family:OWNER/NAME), or the account alone."
        )
    prefix, colon, rest = sought.partition(":")
    if colon:  # no name on the Hub has one
        raise NotFoundError(
            f"There is no prefix {prefix + colon!r}, only 'family:' before a model. Give the name "
            f"of a model or an account alone: {rest}"
        )
    found = query.run(store, {"name": sought, "similar": True})
    similar = ", ".join(row["name"] for row in found if row["kind"] == "model" or not is_family)
    raise NotFoundError(
        f"No snapshot holds a model{'' if is_family else ' or account'} {sought!r}."
        + (f" Similar names: {similar}." if similar else "")
    )


def _find_last_name(store: Store, names: Iterable[str]) -> str | None:
    """Return the last name of the model that has or had these names; None if there are several."""
    query = load("model_summary")
    last = {row["id"] for name in names for row in query.run(store, {"model": name})}
    return last.pop() if len(last) == 1 else None


def _choose_whole(store: Store) -> Snapshot:
    """Return the newest snapshot that is not partial; the newest, if all are."""
    known = require_snapshots(store)
    partial = {flag.snapshot for flag in find_partial(store)}
    whole = [snapshot for snapshot in known if snapshot.id not in partial]
    return latest_snapshot(whole or known)
