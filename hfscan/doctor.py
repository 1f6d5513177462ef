"""Check what hfscan needs: the installation, the database, the Hub and the parity backends."""

import platform
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hfscan._version import __version__
from hfscan.errors import HfscanError, HubRefusedError
from hfscan.hub.client import Answer, HubClient
from hfscan.hub.crew import FIELDS_REFUSED
from hfscan.hub.endpoint import may_receive_token, redact_url
from hfscan.hub.journal import unfinished
from hfscan.hub.page import Page, prove
from hfscan.hub.retry import Patience
from hfscan.hub.walk import FIELDS, address
from hfscan.parity import confinement
from hfscan.parity.worker import BackendError, Worker
from hfscan.paths import journal_dir
from hfscan.scope import Scope
from hfscan.store import Store
from hfscan.text import sanitize

_PATIENCE = Patience(attempts=2, greetings=1, total=20, timeout=20, answer=20)
_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;.*extra == ['\"](\w+)['\"])?")
_LITTLE = 1 << 30  # bytes; about what the pages and the database of a full crawl take


@dataclass(frozen=True)
class Finding:
    """Result of one check. `state`: "ok", "note" (optional part missing) or "problem"."""

    area: str
    state: str
    found: str
    advice: str = ""


def versions() -> Iterator[Finding]:
    """Check the versions of hfscan, Python and the required packages, by extra."""
    yield Finding(
        "hfscan",
        "ok",
        f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}",
    )
    try:
        named = metadata.requires("hfscan") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages", "note", "hfscan runs from a source checkout that is not installed"
        )
        return
    extras: dict[str, dict[str, str | None]] = {}
    for line in named:
        match = _REQUIREMENT.match(line)
        assert match is not None
        extras.setdefault(match[2] or "", {})[match[1]] = _version(match[1])
    for extra, packages in sorted(extras.items()):
        installed = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
        missing = [name for name, version in packages.items() if version is None]
        area = f"extra {extra}" if extra else "packages"
        command = f"pip install 'hfscan{f'[{extra}]' if extra else ''}'"
        if missing:
            missing_columns = f"missing: {', '.join(missing)}" + (
                f"; installed: {installed}" if installed else ""
            )
            state = "note" if extra else "problem"
            yield Finding(area, state, missing_columns, f"To install them: {command}")
        else:
            yield Finding(area, "ok", installed)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def database(db: Path) -> Iterator[Finding]:
    """Check the database, its disk space and the journals of unfinished crawls."""
    if not db.exists():
        yield Finding(
            "database",
            "note",
            f"none at {db}",
            "Run `hfscan crawl`, or try `hfscan demo`.",
        )
    else:
        try:
            with Store.open(db) as store:
                snapshots = store.snapshots()
                store.verify()
        except HfscanError as error:
            yield Finding("database", "problem", str(error))
        else:
            newest = f", the newest of {snapshots[-1].observed_to:%F}" if snapshots else ""
            size = db.stat().st_size / (1 << 20)
            yield Finding(
                "database", "ok", f"{db}: {len(snapshots)} snapshots{newest}; {size:,.0f} MB"
            )
    for about, pages in unfinished(journal_dir(db)):
        yield Finding(
            "journal",
            "note",
            f"an unfinished crawl of {sanitize(redact_url(about.endpoint), 100)}, begun "
            f"{about.started_at:%F %T} UTC: {pages:,} pages are kept",
            "Run the same `hfscan crawl` to resume it, or add --no-resume to start again.",
        )
    free = shutil.disk_usage(db.absolute().parent).free if db.absolute().parent.is_dir() else 0
    if free < _LITTLE:
        yield Finding(
            "disk",
            "note",
            f"{free / (1 << 20):,.0f} MB free on the disk of {db}",
            "A full crawl needs about 1 GB. Free some space, or choose another --db.",
        )


def hub(
    endpoint: str,
    token: str | None,
    *,
    offline: bool,
    allow_http_token: bool = False,
    rewrite_links: bool = False,
) -> Iterator[Finding]:
    """Request one model from the Hub, as a crawl does, and check token and rate limit."""
    if token is not None and not (allow_http_token or may_receive_token(endpoint)):
        token = None
        yield Finding(
            "token",
            "note",
            f"found, but it is not sent to {endpoint}, which is not encrypted",
            "Use https, or --allow-http-token.",
        )
    else:
        yield Finding(
            "token",
            "ok" if token else "note",
            "found" if token else "none",
            "" if token else "Optional. A token raises the rate limit: `hf auth login`.",
        )
    if offline:
        yield Finding("hub", "note", "HF_HUB_OFFLINE is set", "Unset it to crawl.")
        return

    def proven(answer: Answer) -> Page:
        return prove(answer, after=None, ascending=False)

    try:
        with HubClient(
            endpoint.rstrip("/"), token, patience=_PATIENCE, rewrite_links=rewrite_links
        ) as client:
            url = address(Scope(), client.endpoint, ascending=False, page_size=1)
            try:
                client.get(url, proven)
            except HubRefusedError as error:
                known = FIELDS_REFUSED.search(str(error))
                if known is None:
                    raise
                lost = [name for name in FIELDS if name not in known[1].split(", ")]
                yield Finding(
                    "hub", "note", f"{endpoint} does not support these fields: {', '.join(lost)}"
                )
    except HfscanError as error:
        yield Finding("hub", "problem", str(error))
        return
    yield Finding("hub", "ok", f"{endpoint} answers")
    quota = client.quota
    if quota is None:
        yield Finding("quota", "note", "the Hub sends no rate limit, so requests are not delayed")
        return
    of = f" of {quota.limit:,}" if quota.limit else ""
    left = f"{quota.remaining:,}{of} requests left, reset in {quota.reset:,} s"
    advice = "" if quota.remaining else "Wait until the reset; a crawl does so automatically."
    yield Finding("quota", "ok" if quota.remaining else "note", left, advice)


def backends(
    names: Sequence[str], pythons: Mapping[str, str], notify: Callable[[str], None] | None = None
) -> Iterator[Finding]:
    """Start each parity backend in its own process; check its versions, GPU and sandbox.

    `notify` receives a message when a start takes long.
    """
    workers = [Worker(name, pythons.get(name), notify=notify) for name in names]
    try:
        for worker in workers:
            try:
                worker.launch()  # start all in parallel: imports take seconds
            except BackendError:
                continue  # reported below
        for worker in workers:
            area = f"backend {worker.backend}"
            try:
                worker.start()
            except BackendError as error:
                yield Finding(
                    area,
                    "note",
                    sanitize(str(error), 600),
                    "Optional: `hfscan parity --backends` can select other backends.",
                )
            else:
                about = worker.about
                tools = ", ".join(f"{name} {text}" for name, text in about["versions"].items())
                found = f"{tools}; GPU: {about['device'] or 'none'}"
                yield Finding(area, "ok", sanitize(found, 300))
        yield from _confinement([worker.about["kept_from"] for worker in workers if worker.about])
    finally:
        for worker in workers:
            worker.close()


def _confinement(seen: Sequence[Mapping[str, bool]]) -> Iterator[Finding]:
    if not seen:
        return
    lacking = confinement.describe(seen)
    if lacking:
        advice = (
            "Run untrusted checkpoints on Linux, as a user who may create namespaces (outside a "
            "container, or in one that allows it)."
        )
        yield Finding("confinement", "note", lacking, advice)
    else:
        found = "parity backends have no network access and cannot read credential files"
        yield Finding("confinement", "ok", found)
