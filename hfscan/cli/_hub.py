"""The options of commands that ask the Hub, apart from `_options`: its client is slow to import."""

from collections.abc import Callable
from typing import Any, TypedDict

import click
from huggingface_hub import constants, get_token

from hfscan.cli._verbosity import note
from hfscan.errors import HubUnreachableError
from hfscan.hub.endpoint import may_receive_token, parse_endpoint


def _check_endpoint(_: click.Context, __: click.Parameter, endpoint: str) -> str:
    parse_endpoint(endpoint)
    return endpoint


endpoint_option = click.option(
    "--endpoint",
    default=lambda: constants.ENDPOINT,
    show_default="https://huggingface.co",
    metavar="URL",
    callback=_check_endpoint,
    help="The Hub. HF_ENDPOINT changes the default.",
)

http_token_option = click.option(
    "--allow-http-token",
    is_flag=True,
    envvar="HFSCAN_ALLOW_HTTP_TOKEN",
    show_envvar=True,
    help="Send the token to an http endpoint on another machine, where others can read it.",
)

_rewrite_option = click.option(
    "--rewrite-links",
    is_flag=True,
    envvar="HFSCAN_REWRITE_LINKS",
    show_envvar=True,
    help="The endpoint is a mirror: follow links that name the original Hub on the mirror instead.",
)


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command that reads lists of the Hub."""
    return endpoint_option(_rewrite_option(http_token_option(command)))


class HubAccess(TypedDict):
    """How a crawl reaches the Hub."""

    endpoint: str
    token: str | None
    rewrite_links: bool


def hub_access(endpoint: str, *, rewrite_links: bool, allow_http_token: bool) -> HubAccess:
    """Return how to reach the Hub. Raises HubUnreachableError where HF_HUB_OFFLINE forbids it."""
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError(
            "HF_HUB_OFFLINE is set, so the Hub is not asked. Unset it to crawl, import a recorded "
            "dump with `hfscan import`, or try `hfscan demo`."
        )
    return {
        "endpoint": endpoint,
        "token": hub_token(endpoint, allow_http=allow_http_token),
        "rewrite_links": rewrite_links,
    }


def hub_token(endpoint: str, *, allow_http: bool) -> str | None:
    """Return the user's token, if there is one and it may go to the endpoint.

    Otherwise note on stderr that it is not sent.
    """
    token = get_token()
    if token is None or allow_http or may_receive_token(endpoint):
        return token
    note(
        f"Note: the token is not sent: {endpoint} is another machine and not encrypted. Use https, "
        "or --allow-http-token (HFSCAN_ALLOW_HTTP_TOKEN=1)."
    )
    return None
