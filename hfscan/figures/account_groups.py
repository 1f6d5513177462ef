"""Read a table of accounts and what they belong to: countries, kinds of organisations."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hfscan.errors import ImportFileError


@dataclass(frozen=True)
class AccountGroups:
    """`groups`: account -> group. `kind`: what the groups are, such as `country`."""

    kind: str
    groups: Mapping[str, str]

    @property
    def as_parameter(self) -> str:
        """The groups, as the queries' parameter account_groups takes them."""
        return json.dumps(dict(self.groups))


def load_account_groups(path: Path) -> AccountGroups:
    """Return the groups of a CSV file with the column `account` and one other, named by its kind.

    Raises ImportFileError where the file cannot be read, a column is missing, or an account is in
    two groups.
    """
    groups: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            if len(header) != 2 or "account" not in header or not all(header):
                raise ImportFileError(
                    f"{path} needs a first line with two columns: account, and what its groups are "
                    "called, such as country."
                )
            account_at = header.index("account")
            kind = header[1 - account_at]
            for row in filter(None, reader):
                where = f"{path}, line {reader.line_num}"
                cells = [cell.strip() for cell in row]
                if len(cells) != 2 or not all(cells):
                    raise ImportFileError(f"{where}: account or {kind} is empty.")
                account, group = cells[account_at], cells[1 - account_at]
                if groups.setdefault(account, group) != group:
                    raise ImportFileError(f"{where}: {account} is in two groups ({kind}).")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportFileError(f"{path} cannot be read: {error}.") from error
    return AccountGroups(kind, groups)
