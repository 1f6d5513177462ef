"""Read a table of accounts and their countries, for claims about countries."""

import csv
from pathlib import Path

from hfscan.errors import ImportFileError


def load_countries(path: Path) -> dict[str, str]:
    """Return account -> country of a CSV file with the columns `account` and `country`.

    Raises ImportFileError where the file cannot be read, a column is missing, or an account has two
    countries.
    """
    countries: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"account", "country"} <= set(reader.fieldnames or ()):
                raise ImportFileError(
                    f"{path} needs a first line with the columns account and country."
                )
            for number, row in enumerate(reader, 2):
                account, country = (row["account"] or "").strip(), (row["country"] or "").strip()
                if not (account and country):
                    raise ImportFileError(f"{path}, line {number}: account or country is empty.")
                if countries.setdefault(account, country) != country:
                    raise ImportFileError(f"{path}, line {number}: {account} has two countries.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportFileError(f"{path} cannot be read: {error}.") from error
    return countries
