"""A dataset of dumps with many revisions, in the fake Hub of the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from processes import TOKEN
from testhub import Dataset, FakeHub, Population

from hfscan.hub.revisions import RevisionSource, choose_revisions
from hfscan.revisions import RevisionResult, import_revisions
from hfscan.store import Store

REPO = "ann/hub-stats"
FILE = "models.parquet"
START = datetime(2025, 3, 3, 22, tzinfo=UTC)  # a Monday

_MODELS = """
SELECT
    i,
    'o' || i % 7 || '/m' || i AS id,
    'o' || i % 7 AS author,
    TIMESTAMP '2024-01-01' + to_minutes(i) AS "createdAt",
    least(TIMESTAMP '2024-01-01' + to_minutes(i * 7919 % 500000), $newest) AS "lastModified",
    i * 3 % 101 AS downloads,
    i * 3 % 101 * 12 AS "downloadsAllTime",
    i % 5 AS likes,
    1.5 AS "trendingScore",
    ['pytorch', 'tf', 'license:mit'][i % 3:] AS tags,
    ['text-generation', NULL][1 + i % 2] AS pipeline_tag,
    'transformers' AS library_name,
    ['false', 'auto'][1 + i % 2] AS gated,
    ['config.json', 'model' || i || '.safetensors'] AS siblings,
    {'parameters': {'F32': i}, 'total': i} AS safetensors,
    {'relation': 'finetune', 'models': [{'_id': 'x', 'id': 'o1/m1'}]} AS "baseModels",
    {'model_type': 'bert', 'architectures': ['BertModel'],
        'tokenizer_config': {'chat_template': repeat(md5('t' || i), 200)}} AS config,
    array_to_string(list_transform(range(40), lambda k: md5(i || 'c' || k)), ' ') AS "cardData"
FROM range($models) AS numbers(i)
UNION ALL BY NAME
SELECT 'o/newest' AS id, $newest - INTERVAL 1 DAY AS "createdAt", $newest AS "lastModified"
"""


class DumpHistory:
    """The dataset `repo` on a fake Hub; dumps are written in `folder`."""

    def __init__(self, hub: FakeHub, folder: Path, repo: str = REPO) -> None:
        self.hub, self._folder = hub, folder
        self.dataset = hub.datasets[repo] = Dataset()

    @classmethod
    @contextmanager
    def serve(cls, folder: Path, **options: Any) -> Iterator["DumpHistory"]:
        """Yield an empty dataset while a fake Hub, with these options, serves it."""
        with FakeHub(
            Population.synthetic(5, seed=1), **{"quota": None, "tokens": {TOKEN: "ann"}} | options
        ) as hub:
            yield cls(hub, folder)

    def write(
        self, newest: datetime, *, models: int = 100, columns: str = "* EXCLUDE (i)"
    ) -> bytes:
        """Return a Parquet file of models, the newest of `newest`; `columns` is a SELECT list."""
        file = self._folder / "dump.parquet"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT {columns} FROM ({_MODELS})) TO '{file}' (ROW_GROUP_SIZE 2048)",
                {"newest": newest.replace(tzinfo=None), "models": models},
            )
        return file.read_bytes()

    def commit(
        self, day: int, *, hour: float = 1, dump: bytes | None = None, **options: Any
    ) -> str:
        """Commit the dump of a day, some hours after the newest date in it; return the commit."""
        newest = START + timedelta(days=day)
        content = self.write(newest, **options) if dump is None else dump
        return self.dataset.add_commit(
            {FILE: content}, f"Upload {FILE} with huggingface_hub", newest + timedelta(hours=hour)
        )

    def commit_days(self, *days: int) -> None:
        """Commit dumps of some days, each with one model more than the day before."""
        for day in days:
            self.commit(day, models=100 + day)

    def source(self, path: str = "", token: str | None = None) -> RevisionSource:
        """Return a client of the dataset, or of a path in it."""
        url = f"hf://datasets/{REPO}{path and '/'}{path}"
        return RevisionSource(url, endpoint=self.hub.url, token=token)

    def run(self, db: Path, *, folders: bool = False, **options: str) -> list[RevisionResult]:
        """Import all revisions, or those in dated folders, into a database."""
        source = self.source(**options)
        revisions = source.list_folders() if folders else source.list_commits()
        with Store.open(db, write=True) as store:
            chosen = choose_revisions(revisions, None, None, "day")
            return list(import_revisions(store, source, chosen))
