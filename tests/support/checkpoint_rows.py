"""Rows of models whose checkpoints a FakeHub serves."""

SHA = "1" * 40


def make_row(number, name, tags=("pytorch",), downloads=1):
    return {
        "_id": f"6220f80800000000000000{number:02x}", "id": name, "author": name.split("/")[0],
        "createdAt": "2023-01-01T00:00:00.000Z", "lastModified": "2023-01-01T00:00:00.000Z",
        "sha": SHA, "tags": list(tags), "downloads": downloads, "likes": 0, "private": False,
    }  # fmt: skip
