"""Asks the Hub: politely, patiently, and nobody else."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

import httpx

from hfscan._logging import LOGGER
from hfscan.errors import HubRefusedError, HubUnreachableError, InvalidResponseError
from hfscan.hub.endpoint import parse_endpoint
from hfscan.hub.identity import user_agent
from hfscan.hub.links import next_target
from hfscan.hub.quota import SHARE, Pace, Quota, announced
from hfscan.hub.retry import Patience, TransientError, persist
from hfscan.hub.transport import Deadline, open_transport
from hfscan.hub.words import cite, explained, keep_secret, mask

T = TypeVar("T")

LARGEST_ANSWER = 64 << 20  # bytes as sent; a page of 1,000 models is well below one MiB
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECT = "hfscan_redirect"
_LONGEST_WAIT = 1e12  # seconds; keeps a message with an absurd wait readable


@dataclass(frozen=True)
class Answer:
    """A 200 from the Hub: the bytes as sent (`encoding` "gzip" or ""), not yet proven whole."""

    body: bytes
    encoding: str
    etag: str | None
    next_url: str | None
    synthetic: str | None
    total: int | None = None
    """how many items there are in all, where the Hub counts them"""


class MovedError(InvalidResponseError):
    """A redirect within the Hub, to `url`; lists have none."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class RefusedError(HubRefusedError):
    """A 4xx or 5xx; `said` is the Hub's own explanation, safe to show."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


class HubClient:
    """A connection to one Hub, for any number of threads. Use as a context manager.

    `token` goes to the endpoint's own scheme, host and port only: no other is ever asked. With
    `rewrite_links`, links of a mirror to the original Hub lead to the endpoint instead.
    `tell` hears in words why the client waits. `requests` counts what was sent, `mine.requests`
    what this thread sent; `has_token` says whether a token goes along, `answered` whether the Hub
    has ever answered.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | None = None,
        *,
        share: float = SHARE,
        patience: Patience | None = None,
        rewrite_links: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self.requests = 0
        self.mine = _Mine()
        self._url = parse_endpoint(endpoint)
        self._rewrite_links = rewrite_links
        self.has_token = token is not None
        self._patience = patience or Patience()
        self._pace = Pace(share)
        self._deadline = Deadline()
        self._tell = tell
        self._turn = threading.Lock()  # whose holder may ask next
        self._heard = 0  # the newest request whose answer the pace knows
        self.answered = False
        self.quota: Quota | None = None
        headers = {"User-Agent": user_agent(), "Accept-Encoding": "gzip"}
        if token is not None:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise HubRefusedError(
                    "The Hugging Face token holds characters that no token has. Log in again with "
                    "`hf auth login`, or correct HF_TOKEN."
                )
            keep_secret(token)
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            headers=headers,
            timeout=self._patience.timeout,
            follow_redirects=False,
            event_hooks={"response": [_set_redirect_aside]},
            transport=open_transport(self._url, self._deadline),
        )

    def get(self, url: str, prove: Callable[[Answer], T]) -> T:
        """Return `prove` of the answer to `url`, asked again while the trouble may pass.

        `prove` raises TransientError on an answer that is not whole. Raises HubUnreachableError,
        RefusedError on a 4xx, MovedError on a redirect within the Hub, and InvalidResponseError.
        """
        target = self._own(httpx.URL(url))
        try:
            return persist(
                lambda: prove(self._ask(target)),
                self._patience,
                answered=lambda: self.answered,
                tell=self._tell,
            )
        except HubUnreachableError as error:
            raise HubUnreachableError(
                f"{error} Check the network and the endpoint {self.endpoint} (--endpoint, "
                "HF_ENDPOINT); `hfscan demo` runs without a network."
                if not self.answered
                else f"{error} Run the same command again: it goes on from here."
            ) from error

    def _ask(self, url: httpx.URL) -> Answer:
        number = self._await_turn()
        LOGGER.debug("request %d: GET %s", number, mask(str(url)))
        self._deadline.set(self._patience.timeout)
        try:
            with self._http.stream("GET", url) as response:
                self.answered = True
                self._deadline.set(self._patience.answer)
                LOGGER.debug("request %d: %s", number, _summary(response))
                self._hear(number, response)
                if response.status_code == 200:
                    return Answer(
                        self._read(response),
                        response.headers.get("content-encoding", "").strip().lower(),
                        response.headers.get("etag"),
                        self._next(response),
                        cite(response.headers.get("x-hfscan-synthetic", "")) or None,
                        _whole_number(response.headers.get("x-total-count", "")),
                    )
                self._fail(response)
        except httpx.TransportError as error:
            LOGGER.debug("request %d: %s", number, type(error).__name__)
            late = self._deadline.passed and self.answered
            trouble = "took too long for one answer" if late else _trouble(error)
            raise TransientError(f"{self.endpoint} {trouble}") from error

    def _await_turn(self) -> int:
        """Wait as long as the quota asks; return the number of the request that may now be sent."""
        with self._turn:
            delay = self._pace.delay(self.requests - self._heard)
            if delay > self._patience.total:
                raise TransientError(f"{self.endpoint} announces a spent quota", wait=delay)
            if delay > 1:
                self._tell(f"keeping within the Hub's quota: waiting {delay:.0f} s")
            if delay > 0:
                time.sleep(delay)
            self.requests += 1
            self.mine.requests += 1
            return self.requests

    def _hear(self, number: int, response: httpx.Response) -> None:
        wait = _asked_wait(response) if response.status_code == 429 else None
        if wait is not None and wait <= self._patience.total:
            self._pace.hold(wait)  # every thread, not only the one that was told
        if number > self._heard:  # answers may overtake each other
            self._heard = number
            quota = announced(response.headers)
            self._pace.heard(quota)
            self.quota = quota or self.quota

    def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise InvalidResponseError(
                    f"{self.endpoint} answered with more than {LARGEST_ANSWER >> 20} MiB for one "
                    "page; it is no Hub that hfscan knows."
                )
        return bytes(body)

    def _next(self, response: httpx.Response) -> str | None:
        link = next_target(response.headers.get_list("link"))
        return self._linked(response, link) if link else None

    def _linked(self, response: httpx.Response, link: str) -> str:
        try:
            url = response.url.join(link)
            return str(self._own(self._rewritten(url) if self._rewrite_links else url))
        except httpx.InvalidURL as error:
            raise TransientError(
                f"{self.endpoint} links to what is no URL", final=InvalidResponseError
            ) from error

    def _rewritten(self, url: httpx.URL) -> httpx.URL:
        """Return the same address at the endpoint, which may serve the Hub below a path."""
        path = url.raw_path
        base = self._url.raw_path.rstrip(b"/")
        if not path.startswith(base + b"/"):
            path = base + path
        return self._url.copy_with(raw_path=path)

    def _fail(self, response: httpx.Response) -> NoReturn:
        status = response.status_code
        said = self._explanation(response)
        what = f"{self.endpoint} answered {status}{f' ({said})' if said else ''}"
        if status in _TRANSIENT:
            raise TransientError(what, wait=_asked_wait(response))
        if 300 <= status < 400:
            target = self._linked(response, response.extensions[_REDIRECT])
            raise MovedError(f"{what}: a redirect within itself, which no list needs.", target)
        if status < 400 or status >= 600:
            raise TransientError(what, final=InvalidResponseError)
        if status == 401 and self.has_token:
            advice = (
                "the token was refused. Log in again with `hf auth login`, or unset HF_TOKEN: "
                "public models need no token."
            )
        elif status in (401, 403):
            advice = "it lets nobody in without a token: set HF_TOKEN or use `hf auth login`."
        elif status == 404:
            advice = "there is no list of models there. Check --endpoint and HF_ENDPOINT."
        else:
            advice = "it refused the request."
        raise RefusedError(f"{what}: {advice}", status, said)

    def _explanation(self, response: httpx.Response) -> str:
        said = response.headers.get("x-error-message", "")
        if not said:
            said = explained(self._read(response))
        return cite(said)

    def _own(self, url: httpx.URL) -> httpx.URL:
        if url.userinfo or _origin(url) != _origin(self._url):
            raise InvalidResponseError(
                f"{self.endpoint} sends the reader on to {cite(_origin(url))}; hfscan does not "
                "follow, so that a token never reaches another host. If that is the Hub you mean, "
                f"give it as --endpoint. If {self.endpoint} is a mirror whose links name the "
                "original Hub, add --rewrite-links (or HFSCAN_REWRITE_LINKS=1): they then lead to "
                "the mirror."
            )
        return url

    def __enter__(self) -> "HubClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


class _Mine(threading.local):
    requests = 0


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def _summary(response: httpx.Response) -> str:
    """Return what tells an answer apart in a log: status, request id and remaining quota."""
    named = ("x-request-id", "ratelimit")
    said = [f"{name} {response.headers[name]}" for name in named if name in response.headers]
    return mask(", ".join([str(response.status_code), *said]))


def _set_redirect_aside(response: httpx.Response) -> None:
    """Move a redirect's target to the extensions: a hook of httpx.

    httpx reads the target even if it does not follow it, and reports a bad one as a broken
    connection.
    """
    response.extensions[_REDIRECT] = response.headers.pop("location", "")


def _asked_wait(response: httpx.Response) -> float | None:
    """Return the seconds to wait that the Hub asks for; a second more, as they are whole ones."""
    quota = announced(response.headers)
    if response.status_code == 429 and quota is not None and quota.remaining == 0:
        return quota.reset + 1.0
    text = response.headers.get("retry-after", "").strip()
    after = float(text) if re.fullmatch(r"[0-9]+", text) else _seconds_until(text)
    return None if after is None else min(after, _LONGEST_WAIT) + 1.0


def _seconds_until(date: str) -> float | None:
    try:
        instant = parsedate_to_datetime(date)
        return max(0.0, round((instant - datetime.now(UTC)).total_seconds()))
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return None


def _whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _trouble(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return "cannot be reached"
    if isinstance(error, httpx.TimeoutException):
        return "stopped answering"
    if isinstance(error, httpx.ProxyError):
        return "cannot be reached through the proxy (HTTPS_PROXY)"
    return "broke off its answer"
