"""Figures: shares with everything needed to recompute them, and requests for them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hfscan.choices import POPULATIONS, WEIGHTS, Cutoff, Grouping, Population, Weight
from hfscan.errors import InvalidRequestError
from hfscan.figures.intervals import SampleError
from hfscan.figures.period import Period, contains_cutoff
from hfscan.frameworks import DEFAULT_DEFINITION, Definition
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.suggest import unknown


@dataclass(frozen=True)
class Figure:
    """A share of a population.

    `name`: exclusive (to `framework`), available (in `framework`), shared (by several), none.
    `period`: [since, until) in UTC, as requested; None for all models. `covered`: the part of it,
    or of the year or month of `group`, that the snapshot covers. `cutoff`: whether the models at
    the creation-date cutoff count; None where the period does not contain it.
    `numerator`, `denominator`: models, 30-day downloads, or authors' votes (`weight`; votes may be
    fractions, rounded to six digits). `exclude_top_authors`: number of largest authors left out.
    `sample_error`: where the models are a random sample of the Hub's, and count once each.
    `population_size`: of all that could be counted, under the same weight; `coverage`: the share of
    it that the denominator describes (of authors, of how many it describes a model).
    `largest_model`, only of downloads: the model with the most in the denominator, and its share
    of it, `largest_share`; `share_without_largest`: the share if it is left out.
    `small`: numerator or denominator is so low that a few models more would change the share much.
    `transformers`: the release that the definition `loadable` assumes.
    """

    name: str
    framework: str | None
    definition: Definition
    frameworks: tuple[str, ...]
    population: Population
    period: tuple[datetime, datetime] | None
    cutoff: Cutoff | None
    weight: Weight
    by: Grouping | None
    group: str | None
    numerator: int | float
    denominator: int | float
    exclude_top_authors: int = 0
    sample_error: SampleError | None = None
    covered: Period | None = None
    coverage: float | None = None
    small: bool = False
    transformers: int | None = None
    population_size: int = 0
    largest_model: str | None = None
    largest_share: float | None = None
    share_without_largest: float | None = None

    @property
    def share(self) -> float | None:
        """Numerator / denominator; None when the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The share's 95 % interval in the population that the sample was drawn from."""
        if self.sample_error is None or self.share is None:
            return None
        return self.sample_error.interval(self.share, self.denominator)

    @property
    def design_effect(self) -> float | None:
        """The variance of the share relative to as many models drawn independently."""
        if self.sample_error is None or self.share is None:
            return None
        return self.sample_error.design_effect(self.share, self.denominator)

    def as_dict(self) -> dict[str, Any]:
        """Return the figure with the keys of a report's JSON; the share rounded to six digits.

        `exclude_top_authors`, `transformers`, `interval`, `design_effect`, `covered` and those of
        the largest model are present only where they apply. `period` and `covered` start with None
        where models of any age before its end count.
        """
        row = {key: value for key, value in self.__dict__.items() if key not in _LAST_KEYS}
        for key in ("exclude_top_authors", "transformers"):
            if not row[key]:
                del row[key]
        row["frameworks"] = list(self.frameworks)
        if self.period is not None:
            days = [instant.date().isoformat() for instant in self.period]
            row["period"] = days if self.population == "created" else [None, days[1]]
        row["share"] = None if self.share is None else round(self.share, 6)
        row |= {"small": self.small, "population_size": self.population_size}
        row["coverage"] = self.coverage
        if self.largest_model is not None:
            row |= {key: getattr(self, key) for key in LARGEST_KEYS}
        if self.covered is not None:
            since = self.covered.since if self._has_beginning else None
            bounds = (since, self.covered.until)
            row["covered"] = [instant and f"{instant.isoformat()}Z" for instant in bounds]
        if self.interval is not None:
            row["interval"] = [round(bound, 6) for bound in self.interval]
            row["design_effect"] = self.design_effect and round(self.design_effect, 3)
        return row

    @property
    def _has_beginning(self) -> bool:
        if self.by in ("year", "month"):
            return True
        return self.population == "created" and self.cutoff in (None, "excluded")


LARGEST_KEYS = ("largest_model", "largest_share", "share_without_largest")
_LAST_KEYS = {"sample_error", "covered", "coverage", "small", "population_size", *LARGEST_KEYS}
"""Fields that are not keys of a report's JSON, or that come after its share."""


def check_weight(weight: str) -> None:
    """Raise InvalidRequestError where there is no such weight."""
    if weight not in WEIGHTS:
        raise InvalidRequestError(unknown("weight", weight, WEIGHTS))


@dataclass(frozen=True)
class FigureRequest:
    """The parameters of exclusivity figures.

    `frameworks`: those compared; `all` stands for every framework and runtime. `period`:
    [since, until) in UTC, None for all models. `population`: `created` in the period, or `existing`
    at its end. `cutoff`: what to do with the models at the creation-date cutoff; None includes
    them. `transformers`: the release that `loadable` assumes; None: the newest at the time of the
    snapshot. `exclude_top_authors`: leave out this many of the largest authors. `top`: the largest
    groups to keep. Raises InvalidRequestError where the parameters contradict each other.
    """

    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS
    definition: Definition = DEFAULT_DEFINITION
    period: tuple[datetime, datetime] | None = None
    population: Population = "existing"
    cutoff: Cutoff | None = None
    weight: Weight = "models"
    exclude_top_authors: int = 0
    by: Grouping | None = None
    top: int | None = None
    transformers: int | None = None

    def __post_init__(self) -> None:
        if self.population not in POPULATIONS:
            raise InvalidRequestError(unknown("population", self.population, POPULATIONS))
        check_weight(self.weight)
        if self.period is None and self.population == "created":
            raise InvalidRequestError(
                "The population 'created' is the models created in a year, but no year is given. "
                "Name one, or choose the population 'existing'."
            )
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
        since, until = self.period or (None, None)
        return {
            "frameworks": list(self.frameworks),
            "definition": self.definition,
            **({"transformers": self.transformers} if self.transformers else {}),
            "since": since if self.population == "created" else None,
            "until": until,
            "cutoff": self.cutoff or "included",
            "weight": self.weight,
            "exclude_top_authors": self.exclude_top_authors,
            "by": self.by,
            "top": self.top,
        }
