"""Run a command without network, credentials or a way to regain privileges (Linux).

Run as a script, `python sandbox.py OPTIONS COMMAND...`. OPTIONS is a JSON object: `hidden`, paths
that COMMAND must not read; `empty`, an empty folder; `cannot_run`, the exit code if COMMAND cannot
be run. It imports only the standard library. Where the kernel or a container refuses a namespace,
the command runs with as much isolation as is allowed.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_LEVELS = (  # strictest first; only root does not need a user namespace
    _NEWNET | _NEWNS,
    _NEWUSER | _NEWNET | _NEWNS,
    _NEWNET,
    _NEWUSER | _NEWNET,
)
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_KEPT_CAPABILITIES = {0, 1, 2, 3}  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER: root's files
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source: str, target: str, flags: int) -> None:
    _check(_libc.mount(source.encode(), os.fsencode(target), None, flags, None))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def confine(level: int, empty: str, hidden: list[str]) -> None:
    """Enter the namespaces of `level`. Raises OSError if a step is refused."""
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(level))
    if level & _NEWUSER:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    if level & _NEWNS:
        _mount("none", "/", _MS_REC | _MS_PRIVATE)  # otherwise the host would see the mounts
        for path in hidden:
            if os.path.exists(path):
                _mount(empty if os.path.isdir(path) else "/dev/null", path, _MS_BIND)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
        fcntl.ioctl(loopback, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    for capability in set(range(64)) - _KEPT_CAPABILITIES:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those that do not exist


def _is_allowed(level: int, empty: str, hidden: list[str]) -> bool:
    """Try `level` in a child process: a partial change could not be undone."""
    child = os.fork()
    if child == 0:
        try:
            confine(level, empty, hidden)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _prepare_gpu() -> None:
    """Create the device nodes that CUDA needs a setuid program for, which cannot run inside."""
    program = shutil.which("nvidia-modprobe")
    if program and not os.path.exists("/dev/nvidia-uvm"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # CUDA then reports why
            subprocess.run([program, "-u", "-c=0"], check=False, capture_output=True, timeout=60)  # noqa: S603


def main() -> None:
    options, command = json.loads(sys.argv[1]), sys.argv[2:]
    empty, hidden = options["empty"], options["hidden"]
    _prepare_gpu()
    level = next((flags for flags in _LEVELS if _is_allowed(flags, empty, hidden)), None)
    if level is not None:
        confine(level, empty, hidden)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    try:
        os.execv(command[0], command)  # noqa: S606 - the user's own interpreter
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        sys.exit(options["cannot_run"])


if __name__ == "__main__":
    main()
