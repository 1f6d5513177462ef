"""From what the user names to a checkpoint's folder: a local one, or one fetched from the Hub."""

from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError

from hfscan.errors import HubRefusedError
from hfscan.hub.endpoint import parse_endpoint
from hfscan.hub.official import translate_client_errors
from hfscan.parity.checkpoints import (
    GENERATION,
    TOKENIZER,
    TOKENIZER_DATA,
    Checkpoint,
    open_checkpoint,
)
from hfscan.text import sanitize

_WANTED = ["config.json", GENERATION, "*.safetensors", "*.index.json", "pytorch_model*.bin",
           "tf_model*.h5", "flax_model*.msgpack", TOKENIZER, *TOKENIZER_DATA]  # fmt: skip


def require_endpoint(names: Iterable[str]) -> None:
    """Raise HubRefusedError if a checkpoint comes from the Hub and HF_ENDPOINT is invalid."""
    if not all(Path(name).is_dir() for name in names):
        parse_endpoint(constants.ENDPOINT)


def checkpoint(named: str, revision: str | None = None) -> Checkpoint:
    """Return the checkpoint in a local folder, or fetch the Hub's at its present commit.

    Raises CheckpointError, HubRefusedError, HubUnreachableError,
    InvalidResponseError, StorageError.
    """
    folder = Path(named)
    if folder.is_dir():
        return open_checkpoint(folder)
    with translate_client_errors(
        constants.ENDPOINT,
        f"{sanitize(named, 100)} cannot be fetched",
        "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or name a folder.",
    ):
        try:
            path = Path(snapshot_download(named, revision=revision, allow_patterns=_WANTED))
        except HFValidationError as error:
            raise HubRefusedError(
                f"{named!r} is neither a folder nor a Hub id (owner/name)."
            ) from error
    return open_checkpoint(path, named, path.name)
