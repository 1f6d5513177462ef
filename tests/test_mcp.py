"""`hfscan mcp`, asked by the client of the official SDK."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from functools import partial

import pytest
from dumps import ingest_models
from processes import TOKEN, run_hfscan
from testhub import FakeHub, Population

from hfscan.store import Store

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "h.duckdb"
    fields = {"createdAt": "2022-08-19T20:19:12.000Z", "downloads": 7}
    tags = [["pytorch"], ["tf"], ["pytorch", "base_model:ann/0"], []]
    models = [{"id": f"ann/{n}", "tags": names, **fields} for n, names in enumerate(tags)]
    models[0]["pipeline_tag"] = models[1]["pipeline_tag"] = "fill-mask"
    models.append({"id": "ann/\u202eevil", "tags": ["tf"], **fields})
    ingest_models(path, models)
    return path


def start(*options, **variables):
    """Return how a client starts `hfscan mcp` with options."""
    arguments = ["-m", "hfscan", "mcp", *map(str, options)]
    environment = os.environ | variables
    return mcp.StdioServerParameters(command=sys.executable, args=arguments, env=environment)


@asynccontextmanager
async def connect(db=None, server=None):
    """Connect to a server as a client does, and yield a function that calls its tools."""
    async with mcp.Client(server or start("--db", db)) as client:

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
            report = await call("report", year=2022, by="task")
            assert report["figures"][0] == exclusive
            (group, *_) = [row for row in report["figures"] if row["group"] == "fill-mask"]
            assert (group["by"], group["name"], group["framework"]) == (
                "task",
                "exclusive",
                "pytorch",
            )
            assert (group["numerator"], group["denominator"]) == (1, 2)
            assert {row["group"] for row in report["breakdown"]} > {None, "fill-mask"}

            names = [query["name"] for query in await call("query")]
            assert "concentration" in names
            result = await call("query", query="concentration", parameters={"top": 1})
            assert result["rows"][0]["author"] == "ann"
            sql = "SELECT id FROM census ORDER BY id"
            result = await call("query", query=sql, limit=2)
            assert (len(result["rows"]), result["has_more_rows"]) == (2, True)
            sql = "SELECT 0.12345678901234567891::DECIMAL(38, 20) AS exact, 0.5 AS half"
            result = await call("query", query=sql)
            assert result["rows"] == [{"exact": "0.12345678901234567891", "half": 0.5}]

            explanation = await call("explain", model="ann/1")
            assert explanation["frameworks"]["tag"] == ["tensorflow"]
            assert explanation["frameworks"]["weights"] is None  # unknown
            claims = (await call("claims"))["claims"]
            (page,) = (await call("claims", name=claims[0]["name"]))["claims"]
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
            assert "the database has one" in await call("query", query="changes")
            # arguments, not options of the command line
            message = await call("query", query="changes", snapshot=1)
            assert "use the parameters earlier and later" in message
            message = await call("report", name="claims", year=2022)
            assert "It cannot be combined with year, snapshot, as_of or other filters" in message
            result = await call("query", query="SELECT count(*) AS n FROM snapshots")
            assert result["rows"] == [{"n": 1}]

    asyncio.run(converse())


def test_unknown_arguments_are_refused_by_every_tool(db):
    async def converse():
        async with connect(db) as (client, call):
            for tool in (await client.list_tools()).tools:
                message = await call(tool.name, nosuch=1)
                known = ", ".join(tool.input_schema["properties"])
                assert message == f"There is no argument 'nosuch'. Known: {known}."
                assert tool.input_schema["additionalProperties"] is False
            message = await call("query", query="breakdown", param={"by": "task"})
            assert "no argument 'param'. Did you mean 'parameters'?" in message
            for arguments in ({"parameters": {"top": 1}}, {"snapshot": 1}):
                assert "need a query" in await call("query", **arguments)
            assert (await call("explain", model="ann/1"))["model"] == "ann/1"

    asyncio.run(converse())


def test_wrong_values_are_refused_with_the_range(db):
    sql, steps = "SELECT id FROM census", "a whole number from 0"
    rows = "limit takes a whole number from 1 to 1,000, not"

    async def converse():
        async with connect(db) as (_, call):
            for tool, arguments, message in (
                ("query", {"query": sql, "limit": 0}, f"{rows} 0."),
                ("query", {"query": sql, "limit": 1_001}, f"{rows} 1001."),
                ("query", {"query": sql, "limit": "few"}, f'{rows} "few".'),
                ("query", {"query": sql, "limit": None}, f"{rows} null."),
                ("query", {"query": ["x"]}, 'query takes a text, not ["x"].'),
                ("query", {"query": sql, "parameters": 3}, "parameters takes an object, not 3."),
                ("lineage", {"model": "ann/0", "limit": -5}, f"{rows} -5."),
                ("lineage", {"model": "ann/0", "up": -1}, f"up takes {steps}, not -1."),
                ("lineage", {"model": "ann/0", "down": 1.5}, f"down takes {steps}, not 1.5."),
                ("explain", {}, "The argument model is missing. It takes a text."),
                ("report", {"year": "this"}, 'year takes a whole number, not "this".'),
                ("report", {"by": "week"}, "There is no grouping 'week'."),
                ("report", {"weight": "model"}, "no weight 'model'. Did you mean 'models'?"),
            ):
                assert message in await call(tool, **arguments)
            assert len((await call("query", query=sql, limit="2"))["rows"]) == 2

    asyncio.run(converse())


def test_hidden_characters_of_names_arrive_escaped(db):
    async def converse():
        async with connect(db) as (client, _):
            sql = "SELECT id FROM census WHERE id LIKE '%evil'"
            result = await client.call_tool("query", {"query": sql})
            assert "ann/\\u202eevil" in result.content[0].text

    asyncio.run(converse())


def test_parallel_calls_do_not_disturb_each_other(db):
    async def converse():
        async with connect(db) as (_, call):
            sql = "SELECT count(*) AS n FROM range(300_000_000) t(i) WHERE hash(i) > 0"
            queries = [call("query", query=sql) for _ in range(2)]
            others = [call("report", year=2022), call("explain", model="ann/1"), call("claims")]
            *results, report, explanation, claims = await asyncio.gather(*queries, *others)
            assert all(result["rows"][0]["n"] > 299_000_000 for result in results)
            assert report["figures"][0]["denominator"] == 4
            assert explanation["frameworks"]["tag"] == ["tensorflow"]
            assert claims["claims"]

    asyncio.run(converse())


def test_endless_query_is_stopped_with_advice(db):
    from hfscan.mcp_server import create_server

    async def converse():
        server = create_server(partial(Store.open, db), seconds=3)
        async with connect(server=server) as (_, call):
            sql = "SELECT sum(hash(i)) AS n FROM range(1_000_000_000_000) t(i)"
            answer = await call("query", query=sql)
            assert "This takes more than 0.05 minutes, and was stopped." in answer
            result = await call("query", query="SELECT count(*) AS n FROM census")
            assert result["rows"] == [{"n": 5}]
            assert (await call("explain", model="ann/1"))["model"] == "ann/1"

    asyncio.run(converse())


def test_published_database_may_be_replaced_while_served(tmp_path):
    publisher = tmp_path / "publisher.duckdb"
    home = tmp_path / "home"
    sql = "SELECT count(*) AS n FROM census"

    with FakeHub(Population.synthetic(50, seed=4), quota=None, tokens={TOKEN: "ann"}) as hub:
        variables = {"HF_ENDPOINT": hub.url, "HFSCAN_DB": str(publisher)}

        def publish():
            for command in ("crawl", "publish ann/census"):
                code, _, err = run_hfscan(
                    tmp_path, *command.split(), HF_TOKEN=TOKEN, **variables
                )  # fmt: skip
                assert code == 0, err

        async def converse():
            server = start(
                "--from", "hf://datasets/ann/census", HF_ENDPOINT=hub.url, HF_HOME=str(home)
            )
            async with connect(server=server) as (_, call):
                assert (await call("query", query=sql))["rows"] == [{"n": 50}]
                hub.population.delete(next(iter(hub.population.ids)))
                await asyncio.to_thread(publish)
                for path in home.rglob("*.duckdb"):
                    path.unlink()
                assert (await call("query", query=sql))["rows"] == [{"n": 49}]

        publish()
        asyncio.run(converse())


def test_missing_database_is_reported_before_serving(tmp_path):
    code, _, err = run_hfscan(tmp_path, "mcp")
    assert (code, "hfscan crawl" in err) == (6, True)
