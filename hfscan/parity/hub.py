"""From what the user names to a checkpoint's folder: a local one, or one fetched from the Hub."""

from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from hfscan.errors import HubRefusedError, HubUnreachableError, StorageError
from hfscan.parity.checkpoints import (
    GENERATION,
    TOKENIZER,
    TOKENIZER_DATA,
    Checkpoint,
    open_checkpoint,
)

_WANTED = ["config.json", GENERATION, "*.safetensors", "*.index.json", "pytorch_model*.bin",
           "tf_model*.h5", "flax_model*.msgpack", TOKENIZER, *TOKENIZER_DATA]  # fmt: skip


def checkpoint(named: str, revision: str | None = None) -> Checkpoint:
    """Return the checkpoint in a local folder, or fetch the Hub's at its present commit.

    Raises CheckpointError, HubRefusedError, HubUnreachableError, StorageError.
    """
    folder = Path(named)
    if folder.is_dir():
        return open_checkpoint(folder)
    try:
        path = Path(
            huggingface_hub.snapshot_download(named, revision=revision, allow_patterns=_WANTED)
        )
    except HFValidationError as error:
        raise HubRefusedError(
            f"{named!r} is neither a folder nor a Hub id (owner/name)."
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubUnreachableError(
            f"{named} is not in the cache and the Hub cannot be reached (or HF_HUB_OFFLINE is set)."
        ) from error
    except HfHubHTTPError as error:
        raise HubRefusedError(f"The Hub refused {named}: {error}") from error
    except OSError as error:
        raise StorageError(
            f"{named} could not be stored in the cache: {error.strerror or error}. "
            f"Free some space or point HF_HOME elsewhere, then run the same command again."
        ) from error
    return open_checkpoint(path, named, path.name)
