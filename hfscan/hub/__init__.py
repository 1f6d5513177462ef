"""Everything between the Hub and a journal of its pages."""

from hfscan.hub.changed import Changed, fetch_changed
from hfscan.hub.commits import FirstCommit
from hfscan.hub.dating import Answers, Dated, first_commits
from hfscan.hub.harvest import Harvest, fetch
from hfscan.hub.progress import Progress

__all__ = [
    "Answers",
    "Changed",
    "Dated",
    "FirstCommit",
    "Harvest",
    "Progress",
    "fetch",
    "fetch_changed",
    "first_commits",
]
