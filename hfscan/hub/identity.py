"""Who asks: what hfscan calls itself towards the Hub, and where to turn about it."""

import os
import platform
from importlib import metadata

from hfscan._version import __version__

_PLACEHOLDER = "/OWNER/"


def user_agent() -> str:
    """Return the User-Agent: version, the project's address, and who calls it if they say.

    The address is the first URL that the installed package names, left out while it holds the
    placeholder of pyproject.toml. Who calls it may stand in HF_HUB_USER_AGENT_ORIGIN, as in all of
    the Hub's tools.
    """
    parts = [f"hfscan/{__version__}", f"python/{platform.python_version()}"]
    parts += [f"+{address}" for address in _addresses()[:1]]
    if origin := os.environ.get("HF_HUB_USER_AGENT_ORIGIN", "").strip():
        parts.append(f"origin/{origin}")
    text = "; ".join(parts)
    return "".join(one if " " <= one <= "~" else "?" for one in text)


def _addresses() -> list[str]:
    try:
        named = metadata.metadata("hfscan").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return []
    addresses = [line.partition(",")[2].strip() for line in named]
    return [one for one in addresses if _PLACEHOLDER not in one]
