import click

from hfscan.cli._command import Command
from hfscan.cli._options import SnapshotSelector, source_options
from hfscan.errors import InvalidRequestError

_EXAMPLES = """
hfscan mcp --db hfscan.duckdb
hfscan mcp --from hf://datasets/my-org/hub-census
"""


@click.command("mcp", cls=Command, examples=_EXAMPLES)
@source_options
def command(selector: SnapshotSelector) -> None:
    """Serve reports, queries, evidence, claims and lineage to agents, read-only.

    Speaks the Model Context Protocol on stdin and stdout. Requires the extra mcp, the
    Python SDK: pip install 'mcp<3'.
    """
    try:
        from hfscan.mcp_server import create_server
    except ModuleNotFoundError as error:
        raise InvalidRequestError(
            "The server needs the Python SDK of MCP. To install it: pip install 'mcp<3'"
        ) from error
    selector.open().close()  # fails before a client connects
    create_server(selector.open).run("stdio")
