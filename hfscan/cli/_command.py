"""Command classes that reject contradictory options and print examples below their help."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import click

from hfscan.suggest import did_you_mean


class _WithExamples(click.Command):
    """A command whose help ends with examples: lines of shell, some of them comments."""

    def __init__(self, *args: Any, examples: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = examples.strip().splitlines()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, without wrapping them."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Command(_WithExamples):
    """A command that rejects an option given twice with different values.

    Click would use the last one. Repeating the same value is accepted, as are options with
    `multiple`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError."""
        try:
            self._reject_contradictions(ctx, args)
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = f"There is no option {error.option_name!r}."
            known = [name for param in self.get_params(ctx) for name in _option_names(param)]
            hint = did_you_mean(error.option_name, known)
            raise click.UsageError(message + hint, ctx) from error

    def _reject_contradictions(self, ctx: click.Context, args: list[str]) -> None:
        single = {
            param.name: param
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and not param.multiple and not param.count
        }
        for name, values in self._collect_values(ctx, args).items():
            distinct = list(dict.fromkeys(values)) if name in single else []
            if len(distinct) > 1:
                option = single[name]
                if option.is_flag:
                    pair = " and ".join([*option.opts, *option.secondary_opts])
                    raise click.UsageError(f"{pair} cannot be combined. Use one of them.", ctx)
                raise click.UsageError(
                    f"{option.opts[-1]} takes one value, but was given "
                    f"{' and '.join(map(str, distinct))}. Use one of them.",
                    ctx,
                )

    def _collect_values(self, ctx: click.Context, args: list[str]) -> dict[str, list[object]]:
        """Return {option: every value given}."""
        params = []
        for param in map(copy, self.get_params(ctx)):
            if isinstance(param, click.Option) and not param.count:
                param.multiple = True
            params.append(param)
        parser = click.Command(self.name, params=params, add_help_option=False).make_parser(ctx)
        values, _, _ = parser.parse_args(args=list(args))
        return {name: value for name, value in values.items() if isinstance(value, list)}


class Group(_WithExamples, click.Group):
    """A group of such commands."""

    command_class = Command


class Choice(click.Choice[str]):
    """A choice that suggests the closest value for a misspelt one."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Return the message for an invalid value, with a suggestion."""
        message = super().get_invalid_choice_message(value, ctx)
        return message + did_you_mean(str(value), self.choices)


def _option_names(param: click.Parameter) -> Iterable[str]:
    return (*param.opts, *param.secondary_opts) if isinstance(param, click.Option) else ()
