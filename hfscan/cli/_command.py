"""The class of every command: what click accepts in silence is refused here, in one place."""

from collections.abc import Iterable
from copy import copy

import click

from hfscan.suggest import did_you_mean


class Command(click.Command):
    """A command that refuses an option given twice with different values.

    Click takes the last one. The same value twice is harmless, and options with `multiple` collect.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError."""
        try:
            self._refuse_contradictions(ctx, args)
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = f"There is no option {error.option_name!r}."
            known = [name for one in self.get_params(ctx) for name in _spellings(one)]
            hint = did_you_mean(error.option_name, known)
            raise click.UsageError(message + hint, ctx) from error

    def _refuse_contradictions(self, ctx: click.Context, args: list[str]) -> None:
        single = {
            one.name: one
            for one in self.get_params(ctx)
            if isinstance(one, click.Option) and not one.multiple and not one.count
        }
        for name, values in self._collect(ctx, args).items():
            distinct = list(dict.fromkeys(values)) if name in single else []
            if len(distinct) > 1:
                option = single[name]
                if option.is_flag:
                    pair = " and ".join([*option.opts, *option.secondary_opts])
                    raise click.UsageError(f"{pair} exclude each other. Give one.", ctx)
                shown = " and ".join(map(str, distinct))
                raise click.UsageError(
                    f"{option.opts[-1]} was given {shown}, and takes one value. Give one.", ctx
                )

    def _collect(self, ctx: click.Context, args: list[str]) -> dict[str, list[object]]:
        """Return option -> each value that it was given."""
        params = []
        for one in self.get_params(ctx):
            collecting = copy(one)
            if isinstance(collecting, click.Option) and not collecting.count:
                collecting.multiple = True
            params.append(collecting)
        parser = click.Command(self.name, params=params, add_help_option=False).make_parser(ctx)
        values, _, _ = parser.parse_args(args=list(args))
        return {name: value for name, value in values.items() if isinstance(value, list)}


class Group(click.Group):
    """A group whose commands are of the class above."""

    command_class = Command


class Choice(click.Choice[str]):
    """A choice that suggests the value that was meant."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Return the message for a value that is no choice."""
        message = super().get_invalid_choice_message(value, ctx)
        return message + did_you_mean(str(value), self.choices)


def _spellings(param: click.Parameter) -> Iterable[str]:
    return (*param.opts, *param.secondary_opts) if isinstance(param, click.Option) else ()
