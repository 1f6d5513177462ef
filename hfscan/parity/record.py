"""Store the results of a run in a database as they come."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from hfscan._logging import LOGGER
from hfscan._version import __version__
from hfscan.errors import DatabaseError
from hfscan.parity.results_file import Entry, Row, Target
from hfscan.store import Store
from hfscan.store.parity import find_run, finish_run, start_run, store_results
from hfscan.text import encode_json


class RunRecorder:
    """Stores a run; the database is open only while something is stored.

    `snapshot`: the snapshot that its models were drawn from.
    """

    def __init__(self, db: Path, started_at: datetime, snapshot: int | None = None) -> None:
        self._db, self._started_at, self._snapshot = db, started_at, snapshot
        self._run: int | None = None  # None: it is in the database already
        self._pending: dict[int, Entry] = {}
        self._environment: Row = {}

    def start(
        self,
        targets: Sequence[Target],
        setup: Row,
        known: Mapping[int, Entry],
        environment: Row,
    ) -> None:
        """Store a new run, or continue an interrupted one of the same targets and setup.

        `known` are results from earlier runs, by place. Raises DatabaseError and StorageError.
        """
        key = encode_json([setup, targets], indent=None).encode()
        sweep = hashlib.sha256(key).hexdigest() if setup else None
        self._pending, self._environment = dict(known), environment
        with Store.open(self._db, write=True) as store:
            found = find_run(store, sweep) if sweep else None
            if found and found.is_finished and len(known) == len(targets):
                return
            if found and not found.is_finished:
                self._run = found.id
            else:
                self._run = start_run(
                    store,
                    environment,
                    started_at=f"{self._started_at:%Y-%m-%dT%H:%M:%SZ}",
                    hfscan_version=__version__,
                    checkpoints=len(targets),
                    snapshot=self._snapshot,
                    sweep=sweep,
                )
            self._store(store)

    def add(self, entries: Mapping[int, Entry], environment: Row) -> None:
        """Store results by the place of their target; later, if the database cannot be opened.

        Raises StorageError.
        """
        self._pending |= entries
        self._environment = environment
        try:
            with Store.open(self._db, write=True) as store:
                self._store(store)
        except DatabaseError as error:  # such as a report that reads it
            LOGGER.warning("%s The results are stored after the next checkpoint.", error)

    def finish(self, finished_at: str, *, agree: bool) -> None:
        """Store what is left, and mark the run as finished. Raises DatabaseError, StorageError."""
        if self._run is None:
            return
        with Store.open(self._db, write=True) as store:
            self._store(store)
            finish_run(store, self._run, finished_at=finished_at, agree=agree)

    def _store(self, store: Store) -> None:
        if self._run is None:
            return
        cases = {place + 1: entry.cases for place, entry in self._pending.items()}
        timings = {place + 1: entry.measurements for place, entry in self._pending.items()}
        store_results(store, self._run, cases, timings, self._environment)
        self._pending.clear()
