"""The option of commands that ask the Hub, apart from `_options`: its client is slow to import."""

import click
from huggingface_hub import constants

endpoint_option = click.option(
    "--endpoint",
    default=constants.ENDPOINT,
    show_default=True,
    metavar="URL",
    help="The Hub. HF_ENDPOINT changes the default.",
)
