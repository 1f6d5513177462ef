"""What a figure is requested of: frameworks, definition, population, weight, grouping."""

from dataclasses import dataclass, replace
from datetime import datetime

from hfscan.errors import InvalidRequestError
from hfscan.figures.figure import POPULATIONS, By, Cutoff, Population, Weight
from hfscan.figures.period import contains_cutoff
from hfscan.frameworks import Definition
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.suggest import unknown


@dataclass(frozen=True)
class FigureRequest:
    """The parameters of exclusivity figures.

    `frameworks`: those compared; `all` stands for every framework and runtime. `period`:
    [since, until) in UTC, None for all models. `population`: `created` in the period, or `existing`
    at its end. `cutoff`: what to do with the models at the creation-date cutoff; None includes
    them. `exclude_top_authors`: leave out this many of the largest authors. `top`: the largest
    groups to keep.

    Raises InvalidRequestError where the parameters contradict each other.
    """

    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS
    definition: Definition = "tag"
    period: tuple[datetime, datetime] | None = None
    population: Population = "existing"
    cutoff: Cutoff | None = None
    weight: Weight = "models"
    exclude_top_authors: int = 0
    by: By | None = None
    top: int | None = None

    def __post_init__(self) -> None:
        if self.population not in POPULATIONS:
            raise InvalidRequestError(unknown("population", self.population, POPULATIONS))
        if self.period is None and self.population == "created":
            raise InvalidRequestError("The population created needs a year. Name one.")
        if self.top is not None and self.by is None:
            raise InvalidRequestError(
                f"There are no groups, so there is no top {self.top}. Name a grouping."
            )

    def excluding_cutoff(self) -> "FigureRequest":
        """Return the request without the models at the cutoff, where its period contains it."""
        if self.period is None or not contains_cutoff(self.period):
            return self
        return replace(self, cutoff="excluded")

    def parameters(self) -> dict[str, object]:
        """Return the parameters of the query `exclusivity`."""
        since, until = self.period or (None, None)
        return {
            "frameworks": list(self.frameworks),
            "definition": self.definition,
            "since": since if self.population == "created" else None,
            "until": until,
            "cutoff": self.cutoff or "included",
            "weight": self.weight,
            "exclude_top_authors": self.exclude_top_authors,
            "by": self.by,
            "top": self.top,
        }
