"""The Hub's address: what may be one, and to which a token may go."""

import ipaddress
import re
from urllib.parse import urlsplit

import httpx

from hfscan.errors import HubRefusedError

_PLAIN = re.compile(r"[\w.:/\[\]-]{0,100}")
_HOST = re.compile(r"[\w.:-]+")


def parse_endpoint(text: str) -> httpx.URL:
    """Return the endpoint as a URL. Raises HubRefusedError on what is none, or holds a secret.

    The endpoint is stored with the data and shown, so it must not carry credentials. The message
    does not repeat what might be one.
    """
    if any(mark in text for mark in "@?#\\"):
        raise HubRefusedError(
            "The endpoint (--endpoint, HF_ENDPOINT) must not hold a user name, a password, a query "
            "or a fragment: it is stored with the data and shown. Give the address alone, like "
            "https://huggingface.co, and a token in HF_TOKEN or with `hf auth login`."
        )
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.host):
        shown = repr(text) if _PLAIN.fullmatch(text) else "What was given"
        raise HubRefusedError(
            f"{shown} is no endpoint (--endpoint, HF_ENDPOINT). Give one like "
            "https://huggingface.co."
        )
    return url


def redact_url(text: str) -> str:
    """Return a URL without user name, password, query and fragment, where it has any."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "an address that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path.rpartition("@")[2]


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_receive_token(endpoint: str) -> bool:
    """Return whether what is sent to the endpoint is encrypted, or stays on this machine."""
    url = parse_endpoint(endpoint)
    return url.scheme == "https" or is_loopback(url.host)
