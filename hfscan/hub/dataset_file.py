"""Files of Hub datasets, by `hf://datasets/OWNER/NAME[@REVISION]/path`."""

import re
from pathlib import Path

from huggingface_hub import constants, hf_hub_download

from hfscan.errors import ImportFileError
from hfscan.hub.endpoint import parse_endpoint
from hfscan.hub.official import translate_client_errors
from hfscan.hub.words import keep_secret
from hfscan.text import sanitize

_PREFIX = "hf://"
_FILE = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<path>.+)")


def is_dataset_file(name: str) -> bool:
    """Return whether `name` is meant as a file on the Hub."""
    return name.startswith(_PREFIX)


def fetch(name: str, *, token: str | None = None) -> Path:
    """Return the file in the local cache (HF_HOME), fetched where it is not there yet.

    Raises ImportFileError on a name of another form, HubRefusedError when the Hub says no and
    HubUnreachableError when it cannot be asked.
    """
    match = _FILE.fullmatch(name)
    if not match:
        raise ImportFileError(f"{name} is not of the form hf://datasets/OWNER/NAME/path.")
    endpoint = constants.ENDPOINT
    parse_endpoint(endpoint)
    keep_secret(token)
    with translate_client_errors(
        endpoint,
        f"{sanitize(name, 300)} cannot be had",
        "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or download the file yourself and "
        "import that.",
    ):
        return Path(
            hf_hub_download(
                match["repo"],
                match["path"],
                repo_type="dataset",
                revision=match["revision"],
                token=token or False,
            )
        )
