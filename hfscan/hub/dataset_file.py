"""Files of Hub datasets, by `hf://datasets/OWNER/NAME[@REVISION]/path`."""

import re
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from hfscan.errors import DumpError, HubRefusedError, HubUnreachableError

_PREFIX = "hf://"
_FILE = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<path>.+)")


def is_dataset_file(name: str) -> bool:
    """Return whether `name` is meant as a file on the Hub."""
    return name.startswith(_PREFIX)


def fetch(name: str) -> Path:
    """Return the file in the local cache (HF_HOME), fetched where it is not there yet.

    Raises DumpError on a name of another form, HubRefusedError when the Hub says no and
    HubUnreachableError when it cannot be asked.
    """
    match = _FILE.fullmatch(name)
    if not match:
        raise DumpError(f"{name} is not of the form hf://datasets/OWNER/NAME/path.")
    try:
        return Path(
            hf_hub_download(
                match["repo"],
                match["path"],
                repo_type="dataset",
                revision=match["revision"],
            )
        )
    except LocalEntryNotFoundError as error:
        raise HubUnreachableError(
            f"{name} is not in the local cache and the Hub cannot be reached. Check the network, "
            "HF_ENDPOINT and HF_HUB_OFFLINE, or download the file yourself and import that."
        ) from error
    except HfHubHTTPError as error:
        raise HubRefusedError(f"{name} cannot be had: {error.server_message or error}") from error
