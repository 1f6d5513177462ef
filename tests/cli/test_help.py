"""The help of every command."""

import shlex

import click
import pytest
from click.testing import CliRunner

from hfscan.cli import COMMANDS, cli
from hfscan.cli._command import Command


def find_commands() -> dict[str, Command]:
    context, commands = click.Context(cli), dict[str, Command]()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert isinstance(command, Command)
        commands[name] = command
    return commands


ALL_COMMANDS = find_commands()


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_help_ends_with_examples(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    examples = result.output.split("\nExamples:\n")[1].splitlines()
    assert [line.strip() for line in examples] == ALL_COMMANDS[name].examples


def test_help_of_hfscan_has_examples():
    output = CliRunner().invoke(cli, ["--help"]).output
    examples = output.split("\n  Examples:\n")[1].splitlines()
    assert examples == [f"    {line.strip()}" for line in examples]
    assert {line.split()[1] for line in examples} - {"COMMAND"} <= set(COMMANDS)


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_help_has_a_summary_and_option_texts(name):
    command = ALL_COMMANDS[name]
    summary = command.help.split("\n\n")[0]
    assert summary.endswith(".")
    assert not summary.startswith(("The ", "A ", "This "))
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


@pytest.mark.parametrize(
    "line",
    [line for command in ALL_COMMANDS.values() for line in command.examples if line[0] != "#"],
)
def test_examples_parse(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(line)
    assert program == "hfscan"
    name, command, arguments = cli.resolve_command(click.Context(cli), arguments)
    assert command is not None
    command.make_context(name, arguments)


def test_examples_show_their_own_command():
    for name, command in ALL_COMMANDS.items():
        assert any(line.startswith(f"hfscan {name}") for line in command.examples), name
