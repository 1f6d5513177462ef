"""Parse times given on the command line."""

from datetime import datetime

import click

from hfscan.timestamps import parse_timestamp


class UtcTime(click.ParamType[datetime]):
    """A date or time, in UTC unless it has an offset. Converts to a naive `datetime` in UTC."""

    name = "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time; fail if the text is no date or is ambiguous."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_timestamp(value).replace(tzinfo=None)
        except ValueError:
            self.fail(
                f"{value!r} is not a time; use e.g. 2022-12-31, 2022-12-31T22:30:00 (UTC) or "
                "2023-01-01T04:00:00+05:30.",
                param,
                ctx,
            )
