"""HTTP client of a Hub: rate limit, retries, redirects, and a token for its own host only."""

import re
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, NotRequired, TypedDict, TypeVar

import httpx
import msgspec

from hfscan._logging import LOGGER
from hfscan.errors import HubRefusedError, HubUnreachableError, InvalidResponseError
from hfscan.hub.endpoint import mask_secrets, parse_endpoint, register_secret, sanitize_hub_text
from hfscan.hub.rate_limit import RateLimiter, RateLimitInfo, parse_ratelimit_headers
from hfscan.hub.retry import RetryPolicy, TransientError, call_with_retry
from hfscan.hub.transport import Deadline, find_next_link, open_transport, user_agent

T = TypeVar("T")

MAX_RESPONSE_BYTES = 64 << 20  # as sent; a page of 1,000 models is well below one MiB
_MAX_ERROR_BYTES = 64 << 10  # decompressed
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECT = "hfscan_redirect"
_NO_ACCESS = "it requires a token. Set HF_TOKEN or use `hf auth login`."
_ADVICE = {
    401: _NO_ACCESS,
    403: _NO_ACCESS,
    404: "there is no list of models. Check --endpoint and HF_ENDPOINT.",
}
_MAX_WAIT = 1e12  # seconds; keeps a message with an absurd wait readable
_TRANSPORT_ERRORS = (
    (httpx.ConnectTimeout | httpx.ConnectError, "cannot be reached"),
    (httpx.TimeoutException, "stopped responding"),
    (httpx.ProxyError, "cannot be reached through the proxy (HTTPS_PROXY)"),
)


@dataclass(frozen=True)
class RawResponse:
    """A response with status 200: the body as sent (`encoding`: "gzip" or ""), not validated."""

    body: bytes
    encoding: str
    etag: str | None
    next_url: str | None
    synthetic: str | None
    total: int | None = None  # number of items in the whole list, if the Hub counts them


class MovedError(InvalidResponseError):
    """A redirect within the Hub, to `url`; lists have none."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class RefusedError(HubRefusedError):
    """A response with status 4xx or 5xx; `server_message` is the Hub's reason, safe to show."""

    def __init__(self, message: str, status: int, server_message: str) -> None:
        super().__init__(message)
        self.status, self.server_message = status, server_message


class ClientOptions(TypedDict):
    """How to reach a Hub.

    `token` is sent to the endpoint's own scheme, host and port only; no other is ever contacted.
    With `rewrite_links`, a mirror's links to the original Hub lead to the endpoint instead.
    """

    endpoint: str
    token: str | None
    rewrite_links: NotRequired[bool]
    retry_policy: NotRequired[RetryPolicy | None]


class HubClient:
    """Client of one Hub, for any number of threads. Use as a context manager.

    ClientOptions explains the first arguments. `on_wait` receives the reason of each wait.
    `is_resumable`: the same command, run again, continues where this one stopped. `requests`
    counts requests, `thread_stats.requests` those of the current thread; `has_responded` says
    whether the Hub has ever responded.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | None = None,
        *,
        retry_policy: RetryPolicy | None = None,
        rewrite_links: bool = False,
        on_wait: Callable[[str], None] = lambda _: None,
        is_resumable: bool = False,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.requests = 0
        self.thread_stats = _ThreadStats()
        self.has_token = token is not None
        self.has_responded = False
        self.rate_limit: RateLimitInfo | None = None
        self._url = parse_endpoint(self.endpoint)
        self._rewrite_links = rewrite_links
        self._retry_policy = retry_policy or RetryPolicy()
        self._rate_limiter = RateLimiter()
        self._deadline = Deadline()
        self._on_wait = on_wait
        self._is_resumable = is_resumable
        self._send_lock = threading.Lock()
        self._is_closed = threading.Event()
        self._last_seen = 0  # newest request whose response the rate limiter knows
        headers = {"User-Agent": user_agent(), "Accept-Encoding": "gzip"}
        if token is not None:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise HubRefusedError(
                    "The Hugging Face token holds characters that no token has. Log in again with "
                    "`hf auth login`, or correct HF_TOKEN."
                )
            register_secret(token)
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            headers=headers,
            timeout=self._retry_policy.read_timeout,
            follow_redirects=False,
            event_hooks={"response": [_move_redirect]},
            transport=open_transport(self._url, self._deadline),
        )

    def get(self, url: str, parse: Callable[[RawResponse], T]) -> T:
        """Return `parse` of the response to `url`, requested again after transient errors.

        `parse` raises TransientError on an incomplete response. Raises HubUnreachableError,
        RefusedError on a 4xx, MovedError on a redirect within the Hub, and InvalidResponseError.
        """
        target = self._require_same_origin(httpx.URL(url))
        try:
            return call_with_retry(
                lambda: parse(self._send(target)),
                self._retry_policy,
                has_responded=lambda: self.has_responded,
                on_wait=self._on_wait,
                sleep=self._sleep,
            )
        except HubUnreachableError as error:
            raise HubUnreachableError(f"{error} {self._advise(error)}") from error
        except InvalidResponseError as error:
            if not isinstance(error.__cause__, TransientError):
                raise  # says what to do
            raise InvalidResponseError(
                f"{error} Run the same command again later. If this persists, check that "
                f"{self.endpoint} is a Hub (--endpoint, HF_ENDPOINT)."
            ) from error

    def _advise(self, error: HubUnreachableError) -> str:
        if not self.has_responded:
            return (
                f"Check the network and the endpoint {self.endpoint} (--endpoint, HF_ENDPOINT); "
                "`hfscan demo` runs without a network."
            )
        cause = error.__cause__
        is_asked_to_wait = isinstance(cause, TransientError) and cause.wait is not None
        later = " later" if is_asked_to_wait else ""
        purpose = " to continue" if self._is_resumable else ""
        return f"Run the same command again{later}{purpose}."

    def _send(self, url: httpx.URL) -> RawResponse:
        number = self._wait_for_rate_limit()
        LOGGER.debug("request %d: GET %s", number, mask_secrets(str(url)))
        self._deadline.set(self._retry_policy.read_timeout)
        try:
            with self._http.stream("GET", url) as response:
                self.has_responded = True
                self._deadline.set(self._retry_policy.response_timeout)
                LOGGER.debug("request %d: %s", number, _summarize(response))
                self._record_rate_limit(number, response)
                if response.status_code == 200:
                    link = find_next_link(response.headers.get_list("link"))
                    return RawResponse(
                        self._read(response),
                        response.headers.get("content-encoding", "").strip().lower(),
                        response.headers.get("etag"),
                        self._resolve(response, link) if link else None,
                        sanitize_hub_text(response.headers.get("x-hfscan-synthetic", "")) or None,
                        _parse_count(response.headers.get("x-total-count", "")),
                    )
                self._raise_for_status(response)
        except httpx.TransportError as error:
            LOGGER.debug("request %d: %s", number, type(error).__name__)
            is_late = self._deadline.has_passed and self.has_responded
            reason = "took too long for one response" if is_late else _describe(error)
            raise TransientError(f"{self.endpoint} {reason}") from error

    def _wait_for_rate_limit(self) -> int:
        """Wait as long as the rate limit requires; return the number of the next request."""
        with self._send_lock:
            delay = self._rate_limiter.delay(self.requests - self._last_seen)
            if delay > self._retry_policy.timeout:
                raise TransientError(f"{self.endpoint} reports an exhausted rate limit", wait=delay)
            if delay > 1:
                self._on_wait(f"keeping within the Hub's rate limit: waiting {delay:.0f} s")
            self._sleep(delay)
            self.requests += 1
            self.thread_stats.requests += 1
            return self.requests

    def _sleep(self, seconds: float) -> None:
        if self._is_closed.wait(seconds):
            raise RuntimeError("the client was closed")

    def _record_rate_limit(self, number: int, response: httpx.Response) -> None:
        wait = find_retry_after(response) if response.status_code == 429 else None
        if wait is not None and wait <= self._retry_policy.timeout:
            self._rate_limiter.pause(wait)  # every thread, not only this one
        if number > self._last_seen:  # responses may arrive out of order
            self._last_seen = number
            info = parse_ratelimit_headers(response.headers)
            self._rate_limiter.update(info)
            self.rate_limit = info or self.rate_limit

    def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                raise InvalidResponseError(
                    f"{self.endpoint} sent more than {MAX_RESPONSE_BYTES >> 20} MiB for one page. "
                    "Check that it is a Hub (--endpoint, HF_ENDPOINT)."
                )
        return bytes(body)

    def _resolve(self, response: httpx.Response, link: str) -> str:
        """Return the URL of a link in a response; at the endpoint, if links are rewritten."""
        try:
            url = response.url.join(link)
            if self._rewrite_links:  # a mirror may serve the Hub below a path
                path, base = url.raw_path, self._url.raw_path.rstrip(b"/")
                path = path if path.startswith(base + b"/") else base + path
                url = self._url.copy_with(raw_path=path)
            return str(self._require_same_origin(url))
        except httpx.InvalidURL as error:
            raise TransientError(
                f"{self.endpoint} links to an invalid URL", raise_as=InvalidResponseError
            ) from error

    def _raise_for_status(self, response: httpx.Response) -> NoReturn:
        status = response.status_code
        message = sanitize_hub_text(
            response.headers.get("x-error-message", "")
            or extract_error_message(self._read(response))
        )
        what = f"{self.endpoint} answered {status}{f' ({message})' if message else ''}"
        if status in _TRANSIENT:
            raise TransientError(what, wait=find_retry_after(response))
        if 300 <= status < 400:
            target = self._resolve(response, response.extensions[_REDIRECT])
            raise MovedError(f"{what}: a redirect, where a list is expected.", target)
        if status < 400 or status >= 600:
            raise TransientError(what, raise_as=InvalidResponseError)
        advice = _ADVICE.get(status, "it refused the request.")
        if status == 401 and self.has_token:
            advice = (
                "the token was refused. Log in again with `hf auth login`, or unset HF_TOKEN: "
                "public models need no token."
            )
        raise RefusedError(f"{what}: {advice}", status, message)

    def _require_same_origin(self, url: httpx.URL) -> httpx.URL:
        if url.userinfo:
            raise InvalidResponseError(
                f"{self.endpoint} links to an address with a user name or password. hfscan does "
                "not follow it. Check that this is a Hub (--endpoint, HF_ENDPOINT)."
            )
        if _origin(url) != _origin(self._url):
            raise InvalidResponseError(
                f"{self.endpoint} links to {sanitize_hub_text(_origin(url))}; hfscan does not "
                "follow, so that a token never reaches another host. If that is the Hub you mean, "
                f"give it as --endpoint. If {self.endpoint} is a mirror whose links name the "
                "original Hub, add --rewrite-links (or HFSCAN_REWRITE_LINKS=1)."
            )
        return url

    def __enter__(self) -> "HubClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._http.close()


class _ThreadStats(threading.local):
    requests = 0


def extract_error_message(body: bytes) -> str:
    """Return the message in an error's body, "" if it has none (HTML, for example).

    Known forms: `{"error": text | [text]}` and `{"errors": [{"message": text}]}`, also as gzip.
    """
    try:
        if body.startswith(b"\x1f\x8b"):
            body = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(body, _MAX_ERROR_BYTES)
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, zlib.error):
        return ""
    if not isinstance(content, dict):
        return ""
    error = content.get("error") or content.get("errors") or ""
    while isinstance(error, list):
        error = error[0] if error else ""
    if isinstance(error, dict):
        error = error.get("message", "")
    return error if isinstance(error, str) else ""


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def _summarize(response: httpx.Response) -> str:
    """Return a response's status, request id and remaining rate limit, for the log."""
    headers = [
        f"{name} {response.headers[name]}"
        for name in ("x-request-id", "ratelimit")
        if name in response.headers
    ]
    return mask_secrets(", ".join([str(response.status_code), *headers]))


def _move_redirect(response: httpx.Response) -> None:
    """Move a redirect's target to the extensions: a hook of httpx.

    httpx reads the target even if it does not follow it, and reports an invalid one as a broken
    connection.
    """
    response.extensions[_REDIRECT] = response.headers.pop("location", "")


def find_retry_after(response: Any) -> float | None:
    """Return the seconds to wait that a response asks for, rounded up by one.

    It may be one of httpx or of requests.
    """
    info = parse_ratelimit_headers(response.headers)
    if response.status_code == 429 and info is not None and info.remaining == 0:
        return info.reset + 1.0
    text = response.headers.get("retry-after", "").strip()
    seconds = float(text) if re.fullmatch(r"[0-9]+", text) else _seconds_until(text)
    return None if seconds is None else min(seconds, _MAX_WAIT) + 1.0


def _seconds_until(date: str) -> float | None:
    try:
        instant = parsedate_to_datetime(date)
        return max(0.0, round((instant - datetime.now(UTC)).total_seconds()))
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None


def _parse_count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _describe(error: httpx.TransportError) -> str:
    reasons = (reason for kinds, reason in _TRANSPORT_ERRORS if isinstance(error, kinds))
    return next(reasons, "broke off its response")
