"""Options of commands that connect to the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hfscan.cli._options import combine
from hfscan.cli._output import note
from hfscan.errors import HubUnreachableError

if TYPE_CHECKING:
    from hfscan.hub import ClientOptions


@dataclass(frozen=True)
class HubAccess:
    """The options that say how to connect to the Hub."""

    endpoint: str
    allow_http_token: bool
    rewrite_links: bool = False

    def __post_init__(self) -> None:
        from hfscan.hub.endpoint import parse_endpoint

        parse_endpoint(self.endpoint)

    @property
    def token(self) -> str | None:
        """The token, if any; None, with a note, if the endpoint must not receive it."""
        from huggingface_hub import get_token

        from hfscan.hub.endpoint import may_receive_token

        token = get_token()
        if token is None or self.allow_http_token or may_receive_token(self.endpoint):
            return token
        note(
            f"Note: the token is not sent: {self.endpoint} is a remote host without encryption. "
            "Use https, or pass --allow-http-token (HFSCAN_ALLOW_HTTP_TOKEN=1)."
        )
        return None

    def require_online(self, hint: str) -> None:
        """Raise HubUnreachableError if HF_HUB_OFFLINE is set; `hint` says what to do."""
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise HubUnreachableError(
                f"HF_HUB_OFFLINE is set: hfscan does not connect to the Hub. {hint}"
            )

    def for_crawl(self) -> ClientOptions:
        """Return the arguments of a crawl. Raises HubUnreachableError if HF_HUB_OFFLINE is set."""
        self.require_online("Unset it, import a dump with `hfscan import`, or try `hfscan demo`.")
        return {"endpoint": self.endpoint, "token": self.token, "rewrite_links": self.rewrite_links}


def _find_endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


_endpoint_option = click.option(
    "--endpoint",
    default=_find_endpoint,
    show_default="https://huggingface.co",
    metavar="URL",
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

upload_options = combine("hub", HubAccess, _endpoint_option, http_token_option)
"""Options of a command that does not list models."""

hub_options = combine("hub", HubAccess, _endpoint_option, _rewrite_option, http_token_option)
