"""Addresses, tokens and texts of a Hub: what is valid, what is secret, what is safe to show."""

import ipaddress
import re
from urllib.parse import urlsplit

import httpx

from hfscan.errors import HubRefusedError, Wording
from hfscan.text import sanitize

_PLAIN = re.compile(r"[\w.:/\[\]-]{0,100}")
_HOST = re.compile(r"[\w.:-]+")
_MIN_SECRET = 6  # characters; masking shorter ones would garble texts
_secrets: set[str] = set()


_ENDPOINT = Wording("--endpoint, HF_ENDPOINT", "HF_ENDPOINT")


def parse_endpoint(text: str) -> httpx.URL:
    """Return the endpoint as a URL. Raises HubRefusedError if it is invalid or holds credentials.

    The endpoint is stored with the data and shown. The message does not repeat credentials.
    """
    if any(mark in text for mark in "@?#\\"):
        raise HubRefusedError(
            "The endpoint (",
            _ENDPOINT,
            ") must not hold a user name, a password, a query or a fragment: it is stored with the "
            "data and shown. Give the address alone, like https://huggingface.co, and a token in "
            "HF_TOKEN or with `hf auth login`.",
        )
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.host):
        name = repr(text) if _PLAIN.fullmatch(text) else "This text"
        raise HubRefusedError(
            f"{name} is no endpoint (",
            _ENDPOINT,
            "). Give one like https://huggingface.co.",
        )
    return url


def redact_url(text: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "an invalid address"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path.rpartition("@")[2]


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_receive_token(endpoint: str) -> bool:
    """Return whether requests to the endpoint are encrypted or stay on this machine."""
    url = parse_endpoint(endpoint)
    return url.scheme == "https" or is_loopback(url.host)


def register_secret(token: str | None) -> None:
    """Mask this token in every text of a Hub from now on: a server may repeat it."""
    if token is not None and len(token) >= _MIN_SECRET:
        _secrets.add(token)


def mask_secrets(text: str) -> str:
    """Return the text with `***` in place of each registered token."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)  # hosts lose case
    return text


def sanitize_hub_text(text: str, limit: int = 600) -> str:
    """Return a text from a Hub, masked, on one line, cut to `limit` characters."""
    return sanitize(mask_secrets(text), limit)  # masked first: a cut would leave part of a token
