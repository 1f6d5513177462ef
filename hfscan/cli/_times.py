"""Times on the command line."""

from datetime import datetime

import click

from hfscan.timestamps import parse_timestamp


class UtcTime(click.ParamType[datetime]):
    """A date or a time: UTC unless it says another zone; a `datetime` in UTC without zone."""

    name = "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the instant; fail on what is no date, or could be two."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_timestamp(value).replace(tzinfo=None)
        except ValueError:
            self.fail(
                f"{value!r} is not a time; write e.g. 2022-12-31, 2022-12-31T22:30:00 (UTC) or "
                "2023-01-01T04:00:00+05:30.",
                param,
                ctx,
            )
