"""Check checkpoints in backends that stay open: in this process, or in an actor of Ray."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import NamedTuple

from huggingface_hub import constants

from hfscan._version import __version__
from hfscan.errors import HfscanError
from hfscan.hub.endpoint import redact_url
from hfscan.parity.checkpoint import with_baseline
from hfscan.parity.downloads import Downloads
from hfscan.parity.environments import read_environments
from hfscan.parity.machine import describe_processor
from hfscan.parity.process import Settings
from hfscan.parity.result import Verdict, new_result_without_run, to_json_data
from hfscan.parity.results_file import Row, Target
from hfscan.parity.run import ParityRunner


class Checked(NamedTuple):
    """What was found for a checkpoint, as JSON-ready data, and what it was run with."""

    cases: list[Row]
    measurements: list[Row]
    environment: Row


class Worker:
    """Checks checkpoints one after the other; a context manager that ends its backends.

    `budget`: see `Downloads`. `notify` receives messages on long waits.
    """

    def __init__(
        self,
        settings: Settings,
        baseline: str | None = None,
        texts: Sequence[str] | None = None,
        budget: int | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._settings, self._baseline, self._texts = settings, baseline, texts
        with ExitStack() as stack:
            self._downloads = stack.enter_context(Downloads(budget))
            self.runner = stack.enter_context(ParityRunner(settings, notify))
            self._stack = stack.pop_all()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the backends."""
        self._stack.close()

    def check_all(
        self, targets: Sequence[Target], on_start: Callable[[Target], None]
    ) -> Iterator[tuple[int, Checked]]:
        """Yield the place of each target with what was found."""
        for place, target in enumerate(targets):
            on_start(target)
            upcoming = targets[place + 1] if place + 1 < len(targets) else None
            yield place, self.check(target, upcoming)

    def check(self, target: Target, upcoming: Target | None = None) -> Checked:
        """Check a folder or a Hub id, and download the `upcoming` one meanwhile.

        The result of one that cannot be loaded says why.
        """
        measurements, (name, revision) = self.runner.measurements, target
        timed = len(measurements)
        try:
            checkpoint = self._downloads.load(name, revision)
            if self._baseline is not None:
                checkpoint = with_baseline(checkpoint, self._downloads.load(self._baseline))
            if upcoming:
                self._downloads.start(*upcoming, in_use=name)
            results = list(self.runner.check(checkpoint, self._texts))
        except HfscanError as error:
            verdict = getattr(error, "verdict", Verdict.UNREADABLE)  # of a CheckpointError
            dtype = self._settings.dtype
            results = [new_result_without_run(name, str(error), dtype, verdict=verdict)]
        cases = [asdict(result) for result in results]
        return Checked(
            *map(to_json_data, (cases, measurements[timed:], self.describe_environment()))
        )

    def describe_environment(self) -> Row:
        """Return versions, devices and threads of every backend that was started."""
        return self.runner.pool.describe_environment()

    def find_backends_without_gpu(self) -> list[str]:
        """Start the backends and return those that find no GPU; not those that cannot start."""
        return self.runner.pool.backends_without_gpu()

    def describe_setup(self) -> Row:
        """Start the backends and return what their results depend on, besides the checkpoint."""
        pool, settings = self.runner.pool, self._settings
        pool.start()
        names = ["dtype", "threads", "timeout", "memory_mb", "measure"]
        if settings.measure:
            names += ["rounds", "variants", "train"]
        # a case may need another environment than that of its backend
        environments = [
            installation.folder.name
            for environment in read_environments()
            if not {*environment.backends, *environment.imports}.isdisjoint(settings.backends)
            and (installation := environment.find())
        ]
        setup = {
            "hfscan": __version__,
            "endpoint": redact_url(constants.ENDPOINT),
            **{name: getattr(settings, name) for name in names},
            "processor": describe_processor() if settings.measure else None,
            "backends": {
                name: {key: pool.process(name).info.get(key) for key in ("versions", "device")}
                for name in settings.backends
            },
            "environments": environments,
            "texts": self._texts and hashlib.sha256("\n".join(self._texts).encode()).hexdigest(),
        }
        plain: Row = to_json_data(setup)
        return plain
