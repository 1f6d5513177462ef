"""The rows of a model's lineage."""

from typing import Any

from hfscan.errors import InvalidRequestError, NotFoundError, option
from hfscan.figures.view import SnapshotView


def find_lineage(
    view: SnapshotView, model: str, *, up: int, down: int, top: int | None = None
) -> list[dict[str, Any]]:
    """Return the rows of `lineage_tree.sql`; a base that is only named is found by its name.

    `up`, `down`: steps, at least one of each, because the rows below have the totals. `top`: the
    models with the most downloads below each; None: all. Raises InvalidRequestError on negative
    steps, and NotFoundError where neither a model nor a base has the name, or bases are unknown.
    """
    if min(up, down) < 0:
        raise InvalidRequestError("up and down take a whole number from 0.")
    if {"tags", "base_models"} <= set(view.snapshot.missing_columns):
        raise NotFoundError(
            f"Snapshot {view.snapshot.id} has neither tags nor base models. Choose another with ",
            option("snapshot"),
            ".",
        )
    limits = {"up": max(up, 1), "down": max(down, 1), "top": top}
    rows = view.run("lineage_tree", {"model": model, **limits}) if model.strip() else []
    if not rows:
        view.find_model(model)  # says that there is none, and which names are similar
    return rows
