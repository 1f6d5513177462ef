"""Databases of snapshots in which some models change, for tests of what changed."""

from datetime import timedelta

from dumps import DAY, encode, ingest

from hfscan.store import Store


def model(number, name, **fields):
    """Return a model with an `_id`, created on day -1, with these fields."""
    created = (DAY - timedelta(days=1)).isoformat()
    defaults = {"tags": ["license:mit"], "downloads": 10 * number, "likes": number}
    return {"_id": f"{number:024x}", "id": name, "createdAt": created, **defaults, **fields}


def write_history(folder, *days, **options):
    """Write a database of snapshots, a list of models for each day; return its path."""
    with Store.open(folder / "h.duckdb", write=True) as store:
        for number, models in enumerate(days):
            dump = folder / "dump.json"
            dump.write_bytes(encode(models))
            fields = {"complete": True, "day": DAY + timedelta(days=number)}
            ingest(store, dump, **fields | options.get(f"day_{number}", {}))
    return folder / "h.duckdb"


OTHERS = [model(number, f"eve/{number}", pipeline_tag="any") for number in range(100, 300)]
"""Models that stay, so that a snapshot without one model is not a partial one."""
