"""Read recorded dumps as API objects: JSON unchanged, Parquet with its columns as keys."""

from collections.abc import Iterator
from pathlib import Path

from hfscan.sql import identifier

_NESTED = {"cardData", "config", "safetensors", "gguf", "baseModels", "transformersInfo"}
_BATCH = 20_000


def objects(path: Path) -> Iterator[bytes]:
    """Yield each model of a dump as JSON. Raises duckdb.Error when the file cannot be read."""
    import duckdb  # noqa: PLC0415 - slow to import, and few fake Hubs serve a dump

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if path.name.endswith(".parquet"):
            source = "read_parquet(?)"
            columns = connection.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()
            keys = ", ".join(_column(name, kind) for name, kind, *_ in columns if name != "page")
            # a NULL is a key that the API object did not have: merging drops it
            query = (
                f"SELECT json_merge_patch('{{}}', to_json(m)) FROM (SELECT {keys} FROM {source}) m"
            )
        else:
            query = (
                "SELECT json FROM read_json_objects(?, format='auto', maximum_object_size=33554432)"
            )
        rows = connection.execute(query, [str(path)])
        while batch := rows.fetchmany(_BATCH):
            for (text,) in batch:
                yield text.encode()


def _column(name: str, kind: str) -> str:
    quoted = identifier(name)
    if kind.startswith("TIMESTAMP"):
        return f"strftime({quoted}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.000Z') AS {quoted}"
    if name == "siblings" and kind == "VARCHAR[]":
        return f"list_transform({quoted}, lambda name: {{'rfilename': name}}) AS {quoted}"
    if name in _NESTED and kind == "VARCHAR":
        return f"{quoted}::JSON AS {quoted}"
    return quoted
