"""The fake Hub of the tests."""

from typing import Any

from hfscan.fakehub import server

from .datasets import Dataset
from .routes import Routes


class FakeHub(server.FakeHub):
    """A fake Hub with repositories, datasets and all faults."""

    routes_class = Routes
    _routes: Routes

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._routes.datasets.base_url = self.url

    @property
    def datasets(self) -> dict[str, Dataset]:
        """Return the datasets that clients have published, by id."""
        return self._routes.datasets.repos
