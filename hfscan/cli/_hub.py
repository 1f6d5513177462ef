"""Options of commands that connect to the Hub. Separate: huggingface_hub is slow to import."""

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
    help="URL of the Hub or of a mirror. HF_ENDPOINT sets the default.",
)

http_token_option = click.option(
    "--allow-http-token",
    is_flag=True,
    envvar="HFSCAN_ALLOW_HTTP_TOKEN",
    show_envvar=True,
    help="Send the token over plain http to another machine. The network can read it.",
)

_rewrite_option = click.option(
    "--rewrite-links",
    is_flag=True,
    envvar="HFSCAN_REWRITE_LINKS",
    show_envvar=True,
    help="For a mirror: follow links to the original Hub on the endpoint instead.",
)


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command that lists models on the Hub."""
    return endpoint_option(_rewrite_option(http_token_option(command)))


class HubAccess(TypedDict):
    """Arguments that tell a crawl how to connect to the Hub."""

    endpoint: str
    token: str | None
    rewrite_links: bool


def require_online(hint: str) -> None:
    """Raise HubUnreachableError if HF_HUB_OFFLINE is set; `hint` says what to do."""
    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError(
            f"HF_HUB_OFFLINE is set: hfscan does not connect to the Hub. {hint}"
        )


def hub_access(endpoint: str, *, rewrite_links: bool, allow_http_token: bool) -> HubAccess:
    """Return the connection arguments. Raises HubUnreachableError if HF_HUB_OFFLINE is set."""
    require_online("Unset it, import a dump with `hfscan import`, or try `hfscan demo`.")
    return {
        "endpoint": endpoint,
        "token": hub_token(endpoint, allow_http=allow_http_token),
        "rewrite_links": rewrite_links,
    }


def hub_token(endpoint: str, *, allow_http: bool) -> str | None:
    """Return the user's token, or None if there is none or the endpoint must not receive it.

    Prints a note if a token is withheld.
    """
    token = get_token()
    if token is None or allow_http or may_receive_token(endpoint):
        return token
    note(
        f"Note: the token is not sent: {endpoint} is a remote host without encryption. Use https, "
        "or pass --allow-http-token (HFSCAN_ALLOW_HTTP_TOKEN=1)."
    )
    return None
