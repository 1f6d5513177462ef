"""Everything between the Hub and a journal of its pages."""

from hfscan.hub.commits import FirstCommit
from hfscan.hub.dating import Answers, Dated, first_commits
from hfscan.hub.harvest import Harvest, fetch
from hfscan.hub.progress import Progress

__all__ = ["Answers", "Dated", "FirstCommit", "Harvest", "Progress", "fetch", "first_commits"]
