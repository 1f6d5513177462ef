"""Ask the system about memory."""

import os
from pathlib import Path


def total_bytes() -> int | None:
    """Return the size of this machine's memory; None where the system does not tell (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def resident_mb(pid: int) -> float | None:
    """Return a process's resident memory in MB (2**20 bytes); None beside Linux."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
