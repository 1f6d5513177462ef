"""Check checkpoints on a Ray cluster: each actor is a `Worker`, whose backends stay open."""

import importlib
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from hfscan.errors import InvalidRequestError
from hfscan.parity.process import Settings
from hfscan.parity.result import Verdict, new_result_without_run
from hfscan.parity.results_file import Row, Target
from hfscan.parity.worker import Checked, Worker
from hfscan.text import format_count

_MAX_LOSSES = 3  # actors that may end while they check the same checkpoint
_NOTICE_SECONDS = 15.0
_CLOSE_SECONDS = 10.0


class RayWorkers(AbstractContextManager["RayWorkers"]):
    """Actors on the cluster of RAY_ADDRESS, or else on this machine; a context manager.

    By default there are as many as nodes. Each reserves as many CPUs as a backend has threads, and
    with a GPU as device one of these. `notify` receives messages on long waits, `arguments` are
    those of `Worker`. Raises InvalidRequestError if Ray is missing or cannot be reached, or if
    nodes have different releases.
    """

    def __init__(
        self,
        count: int | None,
        notify: Callable[[str], None] | None,
        settings: Settings,
        *arguments: Any,
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            self._ray = importlib.import_module("ray")
        except ImportError as error:
            raise InvalidRequestError("--engine ray needs Ray: pip install ray") from error
        self._settings, self._notify = settings, notify or (lambda _: None)
        self._arguments = settings, *arguments
        self._actor_class = self._ray.remote(
            num_cpus=settings.threads,
            num_gpus=int(settings.device.startswith("cuda")),
            scheduling_strategy="SPREAD",
        )(Worker)
        self._setups: dict[Any, Any] = {}  # actor -> reference of its setup
        with ExitStack() as stack:
            # Ray prints pages about lost actors on stdout, which is for data
            null = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stdout(null))
            stack.callback(self._ray.shutdown)
            self._connect()
            try:
                self._start(count)
            except self._ray.exceptions.RayError as error:
                raise InvalidRequestError(f"Actors of Ray cannot be started: {error}") from error
            self._stack = stack.pop_all()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            closing = [actor.close.remote() for actor in self._setups]
            self._ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_SECONDS)
        self._stack.close()

    def _connect(self) -> None:
        # no token: Ray shows these variables to every user of the cluster
        variables = {"HF_ENDPOINT": constants.ENDPOINT}
        try:
            self._ray.init(
                log_to_driver=False,
                logging_level=logging.WARNING,
                runtime_env={"env_vars": variables},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InvalidRequestError(f"Ray cannot be started, or reached: {error}") from error

    def _start(self, count: int | None) -> None:
        nodes = sum(node["Alive"] for node in self._ray.nodes())
        for _ in range(count or nodes):
            self._new_actor()
        while not (ready := self._ray.wait([*self._setups.values()], timeout=_NOTICE_SECONDS)[0]):
            self._notify_waiting(len(self._setups))
        self._first = next(actor for actor, setup in self._setups.items() if setup == ready[0])
        self._setup: Row = self._get(ready[0])
        self._environment: Row = self._get(self._first.describe_environment.remote())

    def describe_setup(self) -> Row:
        """Return what the results depend on, besides the checkpoint; it is the same everywhere."""
        return self._setup

    def describe_environment(self) -> Row:
        """Return versions, devices and threads of the first actor's backends."""
        return self._environment

    def find_backends_without_gpu(self) -> list[str]:
        """Return the backends that find no GPU where the first actor is; others must be alike."""
        found: list[str] = self._get(self._first.find_backends_without_gpu.remote())
        return found

    def check_all(
        self, targets: Sequence[Target], on_start: Callable[[Target], None]
    ) -> Iterator[tuple[int, Checked]]:
        """Yield the place of each target with what was found, as the actors finish.

        If an actor ends, another one checks its target. See `Worker.check_all`.
        """
        queue, losses = _Queue(len(targets)), Counter[int]()
        idle = list[Any]()
        starting = {setup: actor for actor, setup in self._setups.items()}
        running: dict[Any, tuple[Any, int]] = {}  # reference of a call -> actor, place
        while queue or running:
            while queue and idle:
                actor = idle.pop()
                place, upcoming = queue.take(actor)
                on_start(targets[place])
                next_target = None if upcoming is None else targets[upcoming]
                running[actor.check.remote(targets[place], next_target)] = actor, place
            ready, _ = self._ray.wait([*running, *starting], timeout=_NOTICE_SECONDS)
            if not ready:
                if not running:
                    self._notify_waiting(len(starting))
                continue
            (reference,) = ready
            if reference in starting:
                idle += self._find_started(starting.pop(reference))
                continue
            actor, place = running.pop(reference)
            try:
                checked = self._get(reference)
                self._require_setup(actor)
            except self._ray.exceptions.RayError as error:
                losses[place] += 1
                is_tried_again = losses[place] < _MAX_LOSSES
                queue.give_back(actor, place if is_tried_again else None)
                actor = self._replace(actor, error)
                starting[self._setups[actor]] = actor
                if not is_tried_again:
                    yield place, self._describe_loss(targets[place])
            else:
                idle.append(actor)
                yield place, checked

    def _find_started(self, actor: Any) -> list[Any]:
        """Return the actor if it has started; others go on without it.

        Raises InvalidRequestError if there is none.
        """
        try:
            self._require_setup(actor)
        except self._ray.exceptions.RayError as error:
            del self._setups[actor]
            if not self._setups:
                raise InvalidRequestError(f"No actor of Ray can be started: {error}") from error
            return []
        return [actor]

    def _notify_waiting(self, count: int) -> None:
        self._notify(
            f"Waiting for {format_count(count, 'actor')} of Ray. Each reserves --threads CPUs, and "
            f"with --device cuda a GPU"
        )

    def _new_actor(self) -> Any:
        actor = self._actor_class.remote(*self._arguments)
        self._setups[actor] = actor.describe_setup.remote()
        return actor

    def _replace(self, actor: Any, error: Exception) -> Any:
        name = type(error).__name__
        self._notify(f"An actor of Ray ended ({name}; Ray's logs say why). Another one is started.")
        self._ray.kill(actor)  # it may only be out of reach
        del self._setups[actor]
        return self._new_actor()

    def _get(self, reference: Any) -> Any:
        """Return the result of a call. Raises its exception, or RayError if its actor ended."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def _require_setup(self, actor: Any) -> None:
        """Raise InvalidRequestError if an actor's results depend on other things than the first's.

        Its setup is known, because it was the actor's first call.
        """
        setup = self._get(self._setups[actor])
        different = [key for key, value in self._setup.items() if setup[key] != value]
        if different:
            raise InvalidRequestError(
                f"The nodes of the Ray cluster differ in {', '.join(different)}: their results "
                f"cannot be compared. Install the same releases on all of them."
            )

    def _describe_loss(self, target: Target) -> Checked:
        result = new_result_without_run(
            target[0],
            f"each of {_MAX_LOSSES} actors of Ray that checked it ended, perhaps out of memory",
            self._settings.dtype,
            verdict=Verdict.CRASHED,
        )
        return Checked([asdict(result)], [], self._environment)


class _Queue:
    """Gives the places of targets to actors, and reserves the next for each.

    An actor downloads the one reserved for it meanwhile. At the end, it may get another's.
    """

    def __init__(self, count: int) -> None:
        self._waiting = deque(range(count))
        self._reserved: dict[Any, int] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._reserved)

    def take(self, actor: Any) -> tuple[int, int | None]:
        """Return the place to check now, and the place to download, if there is one."""
        place = self._reserved.pop(actor, None)
        if place is None:
            place = self._waiting.popleft() if self._waiting else self._reserved.popitem()[1]
        if self._waiting:
            self._reserved[actor] = self._waiting.popleft()
        return place, self._reserved.get(actor)

    def give_back(self, actor: Any, place: int | None) -> None:
        """Put the place that an actor checked, and the one reserved for it, in front."""
        lost = [place, self._reserved.pop(actor, None)]
        self._waiting.extendleft(item for item in reversed(lost) if item is not None)
