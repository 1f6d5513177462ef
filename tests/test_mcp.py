"""`hfscan mcp`, asked by the client of the official SDK."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

import pytest
from dumps import ingest_models

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "h.duckdb"
    fields = {"createdAt": "2022-08-19T20:19:12.000Z", "downloads": 7}
    tags = [["pytorch"], ["tf"], ["pytorch", "base_model:ann/0"], []]
    models = [{"id": f"ann/{n}", "tags": names, **fields} for n, names in enumerate(tags)]
    models.append({"id": "ann/\u202eevil", "tags": ["tf"], **fields})
    ingest_models(path, models)
    return path


@asynccontextmanager
async def connect(db):
    """Start `hfscan mcp` as a client does, and yield a function that calls its tools."""
    server = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "hfscan", "mcp", "--db", str(db)], env=dict(os.environ)
    )
    async with mcp.Client(server) as client:

        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            text = result.content[0].text
            return text if result.is_error else json.loads(text)

        yield client, call


def test_tools_answer_over_stdio(db):
    async def converse():
        async with connect(db) as (client, call):
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == {"report", "query", "explain", "claims", "lineage"}
            assert all(tool.annotations.read_only_hint for tool in tools.values())
            assert "numerator" in client.instructions

            report = await call("report", year=2022)
            assert report["answer"].startswith("Of the 5 models created from 2 March")
            exclusive = report["figures"][0]
            assert (exclusive["numerator"], exclusive["denominator"]) == (2, 4)
            table = await call("report", year=2022, section="breakdown")
            assert table["rows"][0]["denominator"] == 5

            names = [query["name"] for query in await call("query")]
            assert "concentration" in names
            result = await call("query", query="concentration", parameters={"top": 1})
            assert result["rows"][0]["author"] == "ann"
            sql = "SELECT id FROM census ORDER BY id"
            result = await call("query", query=sql, limit=2)
            assert (len(result["rows"]), result["has_more_rows"]) == (2, True)

            explanation = await call("explain", model="ann/1")
            assert explanation["frameworks"]["tag"] == ["tensorflow"]
            assert explanation["frameworks"]["weights"] is None  # unknown
            claims = await call("claims")
            (page,) = await call("claims", name=claims[0]["name"])
            assert page["quote"]
            lineage = await call("lineage", model="ann/0")
            assert [row["model"] for row in lineage["models"]] == ["ann/0", "ann/2"]

    asyncio.run(converse())


def test_tools_refuse_writes_files_and_unknown_names(db, tmp_path):
    (tmp_path / "secret.csv").write_text("a\nb\n")

    async def converse():
        async with connect(db) as (_, call):
            for sql, message in (
                ("DELETE FROM snapshots", "not a read-only statement"),
                ("SELECT 1; DROP TABLE snapshots", "holds 2 statements"),
                (f"SELECT * FROM '{tmp_path}/secret.csv'", "no files and no network"),
                ("SELECT * FROM read_text('/etc/hosts')", "no files and no network"),
                ("nope", "no query 'nope'"),
            ):
                assert message in await call("query", query=sql)
            assert "no model 'ann/9'" in await call("explain", model="ann/9")
            assert "no section 'x'" in await call("report", section="x")
            result = await call("query", query="SELECT count(*) AS n FROM snapshots")
            assert result["rows"] == [{"n": 1}]

    asyncio.run(converse())


def test_hidden_characters_of_names_arrive_escaped(db):
    async def converse():
        async with connect(db) as (client, _):
            sql = "SELECT id FROM census WHERE id LIKE '%evil'"
            result = await client.call_tool("query", {"query": sql})
            assert "ann/\\u202eevil" in result.content[0].text

    asyncio.run(converse())


def test_missing_database_is_reported_before_serving(tmp_path):
    from processes import run_hfscan

    code, _, err = run_hfscan(tmp_path, "mcp")
    assert (code, "hfscan crawl" in err) == (6, True)
