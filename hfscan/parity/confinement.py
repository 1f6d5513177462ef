"""Decide what a backend's process may see: its environment, its command and its namespaces."""

import json
import re
import site
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from huggingface_hub import constants

CANNOT_RUN = 126
"""The exit code, as in a shell, of a command that cannot be run."""
_SANDBOX = Path(__file__).with_name("sandbox.py")

_PASSED = re.compile(
    r"""PATH | LANG | LANGUAGE | LC_\w+ | TZ | TMPDIR | TEMP | TMP | USER | USERNAME | LOGNAME
    | SYSTEMROOT | WINDIR | COMSPEC | PATHEXT | NUMBER_OF_PROCESSORS | PROCESSOR_\w+
    | LD_LIBRARY_PATH | DYLD_(FALLBACK_)?LIBRARY_PATH | VIRTUAL_ENV | CONDA_PREFIX
    | PYENV_(ROOT|VERSION) | PYTHON(HOME|HASHSEED|FAULTHANDLER|UTF8|WARNINGS|NOUSERSITE)
    | PYTHON(DONTWRITEBYTECODE|PYCACHEPREFIX|USERBASE) | CC | CXX
    | CUDA_\w+ | CUDNN_\w+ | CUBLAS_\w+ | NVIDIA_\w+ | HIP_\w+ | ROCR_\w+ | HSA_\w+
    | OMP_\w+ | GOMP_\w+ | KMP_\w+ | MKL_\w+ | OPENBLAS_\w+ | DNNL_\w+ | ONEDNN_\w+
    | (PY)?TORCH_\w+ | TORCHINDUCTOR_\w+ | TORCHDYNAMO_\w+ | TRITON_\w+ | XLA_\w+ | JAX_\w+
    | TF_(CPP|GPU|FORCE|XLA|CUDNN|NUM|ENABLE|DETERMINISTIC|DISABLE)_\w+ | ORT_\w+""",
    re.VERBOSE | re.IGNORECASE,
)
"""Variables that a framework or an interpreter needs; no other one reaches a backend."""
_SECRET = re.compile("token|secret|key|passw|credential|auth|proxy", re.IGNORECASE)
"""Words in names of variables that hold secrets, such as NVIDIA_API_KEY."""

_CREDENTIALS = """.netrc .git-credentials .config/git/credentials .ssh .gnupg .aws .azure .kube
    .docker .config/gh .config/gcloud .pypirc .npmrc .kaggle .databrickscfg
    .cache/huggingface/token .cache/huggingface/stored_tokens .huggingface""".split()
"""Where tools keep secrets, below the home folder."""


def environment(source: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables of `source` that a backend needs, with `home` as its home folder."""
    passed = {
        name: value
        for name, value in source.items()
        if _PASSED.fullmatch(name) and not _SECRET.search(name)
    }
    hub = home / "huggingface"  # holds no token and no cache
    return {"PYTHONUSERBASE": site.getuserbase()} | passed | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "HF_HOME": str(hub),
        "HF_TOKEN_PATH": str(hub / "token"),
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    }  # fmt: skip


def command(python: str, arguments: Iterable[str], empty: Path) -> list[str]:
    """Return the command that runs `python` confined; `empty` is a folder without content."""
    plain = [python, *arguments]
    if sys.platform != "linux":
        return plain
    facts = {"empty": str(empty), "hidden": _hidden(), "cannot_run": CANNOT_RUN}
    return [sys.executable, "-I", "-S", str(_SANDBOX), json.dumps(facts), *plain]


def _hidden() -> list[str]:
    home = Path.home()
    own = {constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH}
    return sorted(own | {str(home / name) for name in _CREDENTIALS})


def look(pid: int) -> dict[str, bool]:
    """Return what the running process is kept from: `network` and `credentials`.

    The kernel is asked, not the process. False where it cannot be told.
    """
    return {"network": _differs(pid, "net"), "credentials": _differs(pid, "mnt")}


def _differs(pid: int, namespace: str) -> bool:
    try:
        own, other = (Path(f"/proc/{one}/ns/{namespace}").readlink() for one in ("self", str(pid)))
    except OSError:
        return False
    return own != other


def describe(seen: Sequence[Mapping[str, bool]]) -> str:
    """Return in one sentence what backends are kept from; empty where it is all of it."""
    lacking = [
        words
        for name, words in (
            ("network", "reach the network"),
            ("credentials", "read files of credentials whose paths they know"),
        )
        if not all(one[name] for one in seen)
    ]
    if not lacking:
        return ""
    return (
        f"Backends could {' and '.join(lacking)}: this system does not let hfscan take that away."
    )
