"""A backend sees no secrets and, on Linux, no network."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hfscan.parity.process import BackendProcess, Settings

SECRET_VARIABLES = {
    "GH_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "HF_TOKEN",
    "HF_HUB_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NVIDIA_API_KEY", "TF_VAR_database", "TORCH_TOKEN",
    "CUDA_PASSWORD", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "PYTHONPATH", "PYTHONSTARTUP",
    "LD_PRELOAD_SECRET", "SSH_AUTH_SOCK", "WANDB_API_KEY", "DATABASE_URL", "XDG_RUNTIME_DIR",
}  # fmt: skip
REQUIRED_VARIABLES = {
    "LANG": "C.UTF-8", "TMPDIR": "/tmp", "CUDA_VISIBLE_DEVICES": "0", "CC": "cc",
    "NVIDIA_VISIBLE_DEVICES": "all", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_FLAGS": "",
    "LD_LIBRARY_PATH": "/opt/cuda", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
}  # fmt: skip


@pytest.fixture
def evaluate(fake_backend):
    """Return a function: the value of an expression in a backend, and its isolation."""

    def evaluate_expression(expression: str) -> tuple[object, dict[str, bool]]:
        action = (
            f"def find():\n    try:\n        return {expression}\n"
            "    except OSError as error:\n        return type(error).__name__\n"
            'answer(request, versions={"found": json.dumps(find())}, device=None, threads=1)\n'
            "return 1"
        )
        pythons = {"pytorch": str(fake_backend("hello", action))}
        worker = BackendProcess("pytorch", Settings(device="auto", pythons=pythons))
        try:
            worker.start()
            return json.loads(worker.info["versions"]["found"]), worker.info["isolated_from"]
        finally:
            worker.close()

    return evaluate_expression


@pytest.fixture
def namespaces() -> None:
    """Skip if this system does not allow namespaces."""
    try:
        process = subprocess.run(["unshare", "-Urnm", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if process.returncode:
        pytest.skip("this system does not allow namespaces")


def test_environment_has_no_secrets(evaluate, monkeypatch):
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, "planted-secret")
    for name, value in REQUIRED_VARIABLES.items():
        monkeypatch.setenv(name, value)
    environment, _ = evaluate("dict(os.environ)")
    assert "planted-secret" not in environment.values()
    assert not {name.upper() for name in SECRET_VARIABLES} & {name.upper() for name in environment}
    assert {name: environment[name] for name in REQUIRED_VARIABLES} == REQUIRED_VARIABLES
    assert environment["PATH"] == os.environ["PATH"]


def test_home_is_empty(evaluate):
    value, _ = evaluate("[os.path.expanduser('~'), os.listdir(os.path.expanduser('~'))]")
    assert value[0] != str(Path.home())
    assert value[1] == []
    value, _ = evaluate("os.path.exists(os.environ['HF_TOKEN_PATH'])")
    assert value is False


def test_host_sockets_are_unreachable(evaluate, namespaces):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        value, isolated_from = evaluate(f"bool(socket.create_connection(('127.0.0.1', {port}), 5))")
    assert isolated_from["network"]
    assert value == "ConnectionRefusedError"


def test_loopback_is_private(evaluate, namespaces):
    value, _ = evaluate(
        "[s := socket.create_server(('127.0.0.1', 0)), "
        "bool(socket.create_connection(s.getsockname(), 5))][1]"
    )
    assert value is True


def test_credential_files_are_empty(evaluate, namespaces, tmp_path, monkeypatch):
    token, ssh = tmp_path / "token", tmp_path / ".ssh"
    token.write_text("hf_secret")
    ssh.mkdir()
    (ssh / "id").write_text("key")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(token))
    value, isolated_from = evaluate(f"[open({str(token)!r}).read(), os.listdir({str(ssh)!r})]")
    assert isolated_from["credentials"]
    assert value == ["", []]
    assert token.read_text() == "hf_secret"
    assert [path.name for path in ssh.iterdir()] == ["id"]


def test_parent_environment_is_unreadable(evaluate, namespaces):
    value, _ = evaluate("len(open(f'/proc/{os.getppid()}/environ').read())")
    assert value == "PermissionError"


def test_capabilities_are_dropped(evaluate, namespaces):
    value, _ = evaluate("open('/proc/self/status').read()")
    capabilities = next(line for line in value.splitlines() if line.startswith("CapEff"))
    assert int(capabilities.split()[1], 16) & ~0xF == 0  # at most root's over files


def test_refused_namespaces_are_reported(fake_backend, folder):
    """As in a container whose seccomp filter refuses them; here by a limit of 0."""
    limit_file = "/proc/sys/user/max_user_namespaces"
    if os.geteuid() != 0 or not Path(limit_file).exists():
        pytest.skip("only root can lower the limit")
    command = [
        sys.executable, "-m", "hfscan", "parity", str(folder), "--backends", "pytorch",
        "--backend-python", f"pytorch={fake_backend()}", "--no-measure", "--format", "json",
    ]  # fmt: skip
    script = (
        "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_net_namespaces; "
        'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"\' sh'
    )
    process = subprocess.run(
        ["sh", "-c", f'{script} "$@"', "sh", *command], capture_output=True, text=True, check=False
    )
    report = json.loads(process.stdout)
    assert [case["verdict"] for case in report["cases"]] == ["agree"], process.stderr
    isolated_from = report["environment"]["backends"]["pytorch"]["isolated_from"]
    assert isolated_from == {"network": False, "credentials": False}
    assert any("could reach the network" in note for note in report["environment"]["notes"])


@pytest.mark.parametrize(
    ("device", "user", "expected"),
    [
        ("cpu", "0,1", ""),
        ("cuda", "0,1", "0,1"),
        ("cuda:1", None, "1"),
        ("cuda:1", "4,5", "5"),
        ("cuda:2", "4,5", ""),
    ],
)
def test_backend_sees_the_requested_gpu_only(
    fake_backend, create_runner, monkeypatch, device, user, expected
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if user is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", user)
    reply = """
    versions = {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
    return answer(request, versions=versions, device=None, threads=1) or 1
    """
    pool = create_runner(fake_backend("hello", reply), device=device).pool
    pool.process("pytorch").start()
    assert pool.process("pytorch").info["versions"] == {"gpus": expected}
    assert pool.backends_without_gpu() == ["pytorch"]
