"""A fake Hub on loopback: the list and commits API over synthetic, recorded or given models.

    with FakeHub(Population.synthetic(5_000, seed=1)) as hub:
        ...  # hub.url, hub.requests

Its responses are like those of the Hub's `GET /api/models`, recorded in 2024-2026.
"""

from hfscan.fakehub.faults import KINDS, Faults
from hfscan.fakehub.population import Population
from hfscan.fakehub.server import FakeHub, RequestRecord

__all__ = ["KINDS", "FakeHub", "Faults", "Population", "RequestRecord"]
