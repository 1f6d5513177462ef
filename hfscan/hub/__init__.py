"""Everything between the Hub and a journal of its pages."""

from hfscan.hub.harvest import Harvest, Progress, fetch

__all__ = ["Harvest", "Progress", "fetch"]
