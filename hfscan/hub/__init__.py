"""The Hub: an HTTP client, crawls into a journal of pages, and datasets."""

from hfscan.hub.client import ClientOptions
from hfscan.hub.fetch import FetchResult, fetch
from hfscan.hub.first_commits import FirstCommitLog, FirstCommitResults, fetch_first_commits
from hfscan.hub.progress import Progress
from hfscan.hub.updates import ChangedModels, fetch_changed_models

__all__ = [
    "ChangedModels", "ClientOptions", "FetchResult", "FirstCommitLog", "FirstCommitResults",
    "Progress", "fetch", "fetch_changed_models", "fetch_first_commits",
]  # fmt: skip
