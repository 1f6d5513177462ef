"""A stand-in Hub on loopback: the real protocol over recorded, given or made-up models.

    with MiniHub(Population.synthetic(5_000, seed=1)) as hub:
        ...  # hub.url, hub.requests

The contract it keeps is that of `GET /api/models` and its neighbours as recorded in 2024-2026.
"""

from hfscan.minihub.faults import KINDS, Faults
from hfscan.minihub.population import Population
from hfscan.minihub.server import MiniHub, Request

__all__ = ["KINDS", "Faults", "MiniHub", "Population", "Request"]
