"""Restrict what a backend's process can see: environment variables, credential files, network."""

import contextlib
import json
import re
import site
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

CANNOT_RUN = 126  # exit code, as in a shell, of a command that cannot be run
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
"""Variables that a framework or an interpreter needs; a backend gets no others."""
_SECRET = re.compile("token|secret|key|passw|credential|auth|proxy", re.IGNORECASE)
"""Parts of the names of variables that hold secrets, such as NVIDIA_API_KEY."""

_ISOLATION = {  # what is isolated -> Linux namespace, what a backend could do without it
    "network": ("net", "reach the network"),
    "credentials": ("mnt", "read credential files whose paths they know"),
}
_CREDENTIALS = """.netrc .git-credentials .config/git/credentials .ssh .gnupg .aws .azure .kube
    .docker .config/gh .config/gcloud .pypirc .npmrc .kaggle .databrickscfg
    .cache/huggingface/token .cache/huggingface/stored_tokens .huggingface""".split()
"""Paths of secrets, relative to the home folder."""


def environment(source: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables of `source` that a backend needs, with `home` as its home folder."""
    passed = {
        name: value
        for name, value in source.items()
        if _PASSED.fullmatch(name) and not _SECRET.search(name)
    }
    hub = home / "huggingface"  # without a token or a cache
    return {"PYTHONUSERBASE": site.getuserbase()} | passed | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "HF_HOME": str(hub),
        "HF_TOKEN_PATH": str(hub / "token"),
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    }  # fmt: skip


def command(python: str, arguments: Iterable[str], empty: Path) -> list[str]:
    """Return the command that runs `python` confined; `empty` is an empty folder."""
    plain = [python, *arguments]
    if sys.platform != "linux":
        return plain
    from huggingface_hub import constants  # noqa: PLC0415 - slow to import, and only workers need it

    home = Path.home()
    tokens = {constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH}
    hidden = sorted(tokens | {str(home / name) for name in _CREDENTIALS})
    options = {"empty": str(empty), "hidden": hidden, "cannot_run": CANNOT_RUN}
    return [sys.executable, "-I", "-S", str(_SANDBOX), json.dumps(options), *plain]


def inspect_isolation(pid: int) -> dict[str, bool]:
    """Return what a process is isolated from, as the kernel says; False where it is not known."""
    isolation = dict.fromkeys(_ISOLATION, False)
    for name, (namespace, _) in _ISOLATION.items():
        ours, theirs = (Path(f"/proc/{process}/ns/{namespace}") for process in ("self", pid))
        with contextlib.suppress(OSError):
            isolation[name] = ours.readlink() != theirs.readlink()
    return isolation


def describe_gaps(isolations: Sequence[Mapping[str, bool]]) -> str:
    """Return in one sentence what backends are not isolated from; empty if from nothing."""
    gaps = [
        phrase
        for name, (_, phrase) in _ISOLATION.items()
        if not all(isolation[name] for isolation in isolations)
    ]
    if not gaps:
        return ""
    return f"Backends could {' and '.join(gaps)}: this system does not let hfscan prevent it."
