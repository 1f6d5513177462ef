"""Which frameworks a model of a snapshot supports, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfscan.figures.view import SnapshotView
from hfscan.frameworks import Classification, Definition, classify, taxonomy
from hfscan.store import Snapshot


@dataclass(frozen=True)
class ModelSupport:
    """The frameworks that a model supports under each definition. `model`: its row."""

    model: Mapping[str, Any]
    snapshot: Snapshot
    classification: Classification

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The evidence: definition, framework, evidence and source."""
        titles = taxonomy().titles
        return [
            {
                "definition": item.definition,
                "framework": titles[item.framework],
                "evidence": item.description,
                "source": item.citation,
            }
            for item in self.classification.evidence
        ]

    def describe(self, definition: Definition) -> str:
        """Return the titles of the frameworks, `none`, or why they are unknown."""
        keys = getattr(self.classification, definition)
        if keys is None:
            return f"unknown, because its {self._name_missing(definition)} not known"
        return ", ".join(title for key, title in taxonomy().titles.items() if key in keys) or "none"

    def _name_missing(self, definition: Definition) -> str:
        """Return what is missing to classify the model, with its verb."""
        if self.model["files"] is None and (
            definition == "weights" or self.model["tags"] is not None
        ):
            return "file names are"
        return "tags are" if self.model["tags"] is None else "architecture is"


def explain_model(view: SnapshotView, name: str, transformers: int | None = None) -> ModelSupport:
    """Return what a model supports. Raises NotFoundError; see `SnapshotView.find_model`.

    `transformers`: the release that `loadable` assumes; None: the newest at the snapshot's time.
    """
    row = view.find_model(name)
    classification = classify(
        {
            "id": row["id"],
            "tags": row["tags"],
            "library_name": row["library_name"],
            "siblings": row["files"],
            "config": {"model_type": row["model_type"], "architectures": row["architectures"]},
        },
        transformers=transformers or view.transformers,
    )
    return ModelSupport(row, view.snapshot, classification)
