"""The class of all commands: rejects contradictory options, and ends its help with examples."""

import re
from copy import copy
from itertools import chain
from typing import Any

import click
from click.core import ParameterSource

from hfscan.suggest import did_you_mean

ARGUMENTS = "hfscan.arguments"
"""Key in the context's `meta`: the arguments as they were typed."""


class EnvironmentOption(click.Option):
    """An option whose errors name its environment variable only where the value is from there."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        source = ctx and self.name and ctx.get_parameter_source(self.name)
        if source is ParameterSource.ENVIRONMENT:
            return super().get_error_hint(ctx)
        return click.Parameter.get_error_hint(self, ctx)


class Command(click.Command):
    """A command whose help shows defaults, and ends with examples: lines of shell.

    It rejects an option given twice with different values, where click would use the last one.
    Repeating the same value is accepted, as are options with `multiple`.
    """

    def __init__(self, *args: Any, examples: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.context_settings["show_default"] = True
        self.examples = examples.strip().splitlines()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = tuple(args)
        try:
            self._reject_contradictions(ctx, args)
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = f"There is no option {error.option_name!r}."
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            known = chain.from_iterable((*param.opts, *param.secondary_opts) for param in options)
            hint = did_you_mean(error.option_name, known)
            raise click.UsageError(message + hint, ctx) from error
        except click.UsageError as error:
            year = re.search(r"unexpected extra argument.*\((\d{4})\b", error.message)
            if year and any(param.name == "year" for param in self.get_params(ctx)):
                message = f"{error.message}. Did you mean --year {year[1]}?"
                raise click.UsageError(message, ctx) from error
            raise

    def _reject_contradictions(self, ctx: click.Context, args: list[str]) -> None:
        params = [copy(param) for param in self.get_params(ctx)]
        single = {
            param.name: param
            for param in params
            if isinstance(param, click.Option) and not param.multiple and not param.count
        }
        for option in single.values():
            option.multiple = True  # so that the parser keeps every value
        parser = click.Command(self.name, params=params, add_help_option=False).make_parser(ctx)
        values, _, _ = parser.parse_args(args=list(args))
        for name, option in single.items():
            distinct = list(dict.fromkeys(values.get(name) or ()))
            if len(distinct) < 2:
                continue
            if option.is_flag:
                pair = " and ".join([*option.opts, *option.secondary_opts])
                raise click.UsageError(f"{pair} cannot be combined. Use one of them.", ctx)
            raise click.UsageError(
                f"{option.opts[-1]} takes one value, but was given "
                f"{' and '.join(map(str, distinct))}. Use one of them.",
                ctx,
            )
