"""Check what hfscan needs: the installation, the database, the Hub and the parity backends."""

import platform
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from huggingface_hub import constants, get_token

from hfscan._version import __version__
from hfscan.cli._hub import HubAccess
from hfscan.cli._output import echo
from hfscan.errors import HfscanError
from hfscan.figures import find_flags
from hfscan.hub.client import HubClient, RefusedError
from hfscan.hub.endpoint import may_receive_token, redact_url
from hfscan.hub.journal import list_unfinished_crawls
from hfscan.hub.page import validate_page
from hfscan.hub.plan import find_unsupported_fields, list_url
from hfscan.hub.retry import RetryPolicy
from hfscan.parity import confinement
from hfscan.parity.environments import Environment
from hfscan.parity.process import BackendProcess, Settings
from hfscan.parity.replies import BackendError
from hfscan.paths import journal_dir
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots
from hfscan.text import format_count, sanitize

_RETRY_POLICY = RetryPolicy(
    attempts=2, connect_attempts=1, timeout=20, read_timeout=20, response_timeout=20
)
_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;.*extra == ['\"](\w+)['\"])?")
_FULL_CRAWL_BYTES = 1 << 30
"""Disk space that the pages and the database of a full crawl take, roughly."""


@dataclass(frozen=True)
class Check:
    """Result of one check. `status`: "ok", "note" (an optional part is missing) or "problem"."""

    area: str
    status: str
    message: str
    hint: str = ""


def print_check(check: Check) -> None:
    """Print a check, with its hint on a line of its own."""
    echo(f"{check.status:7}  {check.area}: {check.message}")
    if check.hint:
        echo(f"{'':7}  {check.hint}")


def check_versions() -> Iterator[Check]:
    """Check the versions of hfscan, Python and the required packages, by extra."""
    system = f"Python {platform.python_version()}, {platform.platform(terse=True)}"
    yield Check("hfscan", "ok", f"{__version__}, {system}")
    try:
        requirements = metadata.requires("hfscan") or []
    except metadata.PackageNotFoundError:
        yield Check("packages", "note", "hfscan runs from a source checkout, not installed")
        return
    extras: dict[str, dict[str, str | None]] = {}
    for line in requirements:
        match = _REQUIREMENT.match(line)
        assert match is not None
        extras.setdefault(match[2] or "", {})[match[1]] = _find_version(match[1])
    for extra, packages in sorted(extras.items()):
        area = f"extra {extra}" if extra else "packages"
        installed = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
        missing = [name for name, version in packages.items() if version is None]
        if not missing:
            yield Check(area, "ok", installed)
            continue
        message = f"missing: {', '.join(missing)}" + (
            f"; installed: {installed}" if installed else ""
        )
        command = f"pip install {' '.join(missing)}"
        yield Check(area, "note" if extra else "problem", message, f"To install them: {command}")


def _find_version(package: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def check_database(db: Path) -> Iterator[Check]:
    """Check the database, its disk space and the journals of unfinished crawls."""
    try:
        if db.exists():
            with Store.open(db) as store:
                snapshots = list_snapshots(store)
                store.check_integrity()
                flags = find_flags(store, snapshots[-1:])
            latest = f", the latest of {snapshots[-1].observed_to:%F}" if snapshots else ""
            count, size = format_count(len(snapshots), "snapshot"), _format_mb(db.stat().st_size)
            message = f"{db}: {count}{latest}; {size}"
            yield Check("database", "ok", message)
            hint = "docs/data-quality.md explains it. `hfscan snapshots` checks others, too."
            for flag in flags:
                area = f"snapshot {flag.snapshot}, {flag.name.replace('_', ' ')}"
                yield Check(area, "note", flag.message, hint)
        else:
            hint = "Run `hfscan crawl`, or try `hfscan demo`."
            yield Check("database", "note", f"none at {db}", hint)
    except HfscanError as error:
        yield Check("database", "problem", str(error))
    for crawl, pages in list_unfinished_crawls(journal_dir(db)):
        yield Check(
            "journal",
            "note",
            f"an unfinished crawl of {sanitize(redact_url(crawl.endpoint), 100)}, begun "
            f"{crawl.started_at:%F %T} UTC: {format_count(pages, 'page')} kept",
            "Run the same `hfscan crawl` to resume it, or add --no-resume to start again.",
        )
    folder = db.absolute().parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    if free < _FULL_CRAWL_BYTES:
        hint = "A full crawl needs about 1 GB. Free some space, or choose another --db."
        yield Check("disk", "note", f"{_format_mb(free)} free on the disk of {db}", hint)


def _format_mb(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"


def check_hub(hub: HubAccess) -> Iterator[Check]:
    """Check the token, request one model from the Hub as a crawl does, and check the rate limit."""
    endpoint, token = hub.endpoint, get_token()
    if token is None:
        hint = "Optional. A token raises the rate limit: `hf auth login`."
        yield Check("token", "note", "none", hint)
    elif hub.allow_http_token or may_receive_token(endpoint):
        yield Check("token", "ok", "found")
    else:
        token = None
        message = f"found, but it is not sent to {endpoint}, which is not encrypted"
        yield Check("token", "note", message, "Use https, or --allow-http-token.")
    if constants.HF_HUB_OFFLINE:
        yield Check("hub", "note", "HF_HUB_OFFLINE is set", "Unset it to crawl.")
        return
    try:
        with HubClient(
            endpoint, token, retry_policy=_RETRY_POLICY, rewrite_links=hub.rewrite_links
        ) as client:
            url = list_url(Scope(), client.endpoint, ascending=False, page_size=1)
            try:
                client.get(url, partial(validate_page, after=None, ascending=False))
            except RefusedError as error:
                fields = ", ".join(find_unsupported_fields(error.server_message))
                if not fields:
                    raise
                yield Check("hub", "note", f"{endpoint} does not support these fields: {fields}")
    except HfscanError as error:
        yield Check("hub", "problem", str(error))
        return
    yield Check("hub", "ok", f"{endpoint} responds")
    limit = client.rate_limit
    if limit is None:
        message = "the Hub states no rate limit, so requests are not delayed"
        yield Check("rate limit", "note", message)
        return
    total = f" of {limit.limit:,}" if limit.limit else ""
    message = f"{limit.remaining:,}{total} requests left, reset in {limit.reset:,} s"
    hint = "" if limit.remaining else "Wait until the reset; a crawl does so automatically."
    yield Check("rate limit", "note" if hint else "ok", message, hint)


def check_environments(environments: Sequence[Environment]) -> Iterator[Check]:
    """Check whether the environments of parity backends are there and current."""
    for environment in environments:
        area, installation = f"environment {environment.name}", environment.find()
        if installation is None:
            state = "stale: its releases are not those of this hfscan"
            state = state if environment.is_stale() else "missing"
            message = f"for {', '.join(environment.backends)}: {state}"
            hint = f"To make it: hfscan parity setup {environment.backends[0]}"
            yield Check(area, "note", message, hint)
            continue
        versions = environment.list_versions(installation).items()
        packages = ", ".join(f"{name} {version}" for name, version in versions)
        message = (
            f"for {', '.join(environment.backends)}: {packages}; builds for {installation.device}; "
            f"{_format_mb(installation.size)} in {installation.folder}"
        )
        yield Check(area, "ok", sanitize(message, 600))


def check_backends(
    names: Sequence[str], pythons: Mapping[str, str], notify: Callable[[str], None]
) -> Iterator[Check]:
    """Start each parity backend, with `notify` if that takes long; check versions, GPU, sandbox."""
    settings = Settings(pythons=pythons)
    processes = [BackendProcess(name, settings, notify=notify) for name in names]
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.close)
            with suppress(BackendError):  # reported below
                process.spawn()  # start all in parallel: imports take seconds
        for process in processes:
            area = f"backend {process.backend}"
            try:
                process.start()
            except BackendError as error:
                hint = "Optional: `hfscan parity --backends` can select other backends."
                yield Check(area, "note", sanitize(str(error), 600), hint)
            else:
                versions = process.info["versions"].items()
                packages = ", ".join(f"{name} {version}" for name, version in versions)
                message = f"{packages}; GPU: {process.info['device'] or 'none'}"
                yield Check(area, "ok", sanitize(message, 300))
        started = [process.info["isolated_from"] for process in processes if process.info]
        if gaps := confinement.describe_gaps(started):
            hint = (
                "Run untrusted checkpoints on Linux, as a user who may create namespaces (outside "
                "a container, or in one that allows it)."
            )
            yield Check("confinement", "note", gaps, hint)
        elif started:
            message = "parity backends have no network access and cannot read credential files"
            yield Check("confinement", "ok", message)
