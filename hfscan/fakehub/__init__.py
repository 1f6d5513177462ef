"""A fake Hub on loopback: the real protocol over recorded, given or made-up models.

    with FakeHub(Population.synthetic(5_000, seed=1)) as hub:
        ...  # hub.url, hub.requests

The contract it keeps is that of `GET /api/models` and its neighbours as recorded in 2024-2026.
"""

from hfscan.fakehub.faults import KINDS, Faults
from hfscan.fakehub.population import Population
from hfscan.fakehub.server import FakeHub, Request

__all__ = ["KINDS", "FakeHub", "Faults", "Population", "Request"]
