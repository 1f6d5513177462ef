"""The pages for the tests in a browser, some of models with unusual names; opens and draws them."""

from itertools import product

import parity_runs
from click.testing import CliRunner
from parity_results import make_document, make_result, make_suspect
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.figures import SnapshotView
from hfscan.parity import sections
from hfscan.pipeline import crawl
from hfscan.report import FORMATS, ReportRequest, build, build_database_report, compare
from hfscan.scope import Scope
from hfscan.store import Store

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
"""Options of Chromium."""
NARROW, WIDE = (360, "dark"), (1440, "light")
"""Width and colours of a page."""
HOSTILE = "<img src=x onerror=hit=1></script><script>hit=1</script>\"'>{{7*7}}"
ODD_NAMES = [
    'x"$width', "$width", "$inner_width", '{"$size":"width"}', "${x}", "</script>", "%s", "a\\b",
    "\\u003c", "'q'", "\u200b\u202eodd\n\x1b[1m", "{{7*7}}", "<!--", "datum.x", "__proto__",
    "constructor", "nil", "https://vega.github.io/schema/vega/v6.json",
]  # fmt: skip
"""Names of libraries that are also syntax of templates, expressions or objects of JavaScript."""
POPULATION = Population.synthetic(4000, seed=2022)
COMMANDS = {
    "trend": ["trend"],
    "trend-formats": ["trend", "--formats", "--per", "month"],
    "query": ["query", "concentration"],
    "show": ["show", "author-0000"],
    "lineage": ["lineage", next(iter(POPULATION))["id"]],
}
"""Page -> the command that writes it."""
PARITY_RUNS = {
    "parity-run": [
        make_result("ann/bert", "pytorch"),
        make_result("ann/bert", "tensorflow", make_suspect("tensorflow")),
        make_result(HOSTILE, "pytorch", error=2e-7),
        make_result(HOSTILE, "tensorflow", "does not load"),
        make_result("eve/none", "none", "unsupported"),
    ],
    "parity-one": [make_result("ann/bert", name) for name in ("pytorch", "tensorflow")],
    "parity-sweep": [
        make_result(f"ann/m{number}", backend, "agree" if number else "weights differ")
        for number in range(40)
        for backend in ("pytorch", "tensorflow")
    ],
}
"""Page of `hfscan parity` -> the results of its cases."""


def build_hostile_reports(path):
    """Return reports of hostile models, crawled from a fake Hub into a database."""
    models = [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"{HOSTILE.replace('/', '')}/{number}",
            "tags": [tag, "safetensors"],
            "createdAt": f"{2022 + number % 3 // 2}-08-19T20:19:12.000Z",
            "downloads": 5,
            "pipeline_tag": HOSTILE,
            "library_name": f"=HYPERLINK({HOSTILE})",
        }
        for number, tag in enumerate(["pytorch", "tf"] * 400)
    ]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    with Store.open(path) as store:
        view = SnapshotView.choose(store, None)
        earlier_report, later_report = (
            build(view, ReportRequest(year), name="compare") for year in (2022, 2023)
        )
        return {
            "hostile": build(view, ReportRequest(2022)),
            "hostile-all": build(view, ReportRequest(None)),
            "hostile-compare": compare(earlier_report, later_report, view),
            "hostile-claims": build_database_report(store, "claims"),
        }


def build_odd_report(path):
    """Return a report by library of models whose libraries have unusual names."""
    models = [
        {
            "_id": f"63ffff{number:018x}",
            "id": f"ann/{number}",
            "tags": [tag],
            "createdAt": "2022-08-19T20:19:12.000Z",
            "library_name": name,
        }
        for number, (name, tag) in enumerate(product(ODD_NAMES, ["pytorch", "tf", "pytorch"]))
    ]
    with FakeHub(Population.from_rows(models), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    with Store.open(path) as store:
        return build(
            SnapshotView.choose(store, None), ReportRequest(2022, by="library", top=len(ODD_NAMES))
        )


def build_year_report(store):
    return build(SnapshotView.choose(store, None), ReportRequest(2022))


def write_pages(folder):
    """Write all pages, those of reports also as JSON, and the database of most, `h.duckdb`.

    It has synthetic models, and results of parity with hostile text.
    """
    case = parity_runs.make_case(HOSTILE, "tensorflow", "outputs differ", error=0.25)
    database = parity_runs.create_database(folder / "h.duckdb", POPULATION, case)
    pages = build_hostile_reports(folder / "hostile.duckdb")
    pages["odd"] = build_odd_report(folder / "odd.duckdb")
    with Store.open(database) as store:
        pages |= {name: build_database_report(store, name) for name in ("claims", "parity")}
        view = SnapshotView.choose(store, None)
        pages["year"] = build_year_report(store)
        pages["overview"] = build(view, ReportRequest(None))
        pages["ecosystem"] = build(view, ReportRequest(None), name="ecosystem")
        earlier_report, later_report = (
            build(view, ReportRequest(year), name="compare") for year in (2022, 2023)
        )
        pages["compare"] = compare(earlier_report, later_report, view)
    for name, results in PARITY_RUNS.items():
        document = make_document(results, command="hfscan parity ann/bert")
        pages[name] = sections.new_report(document)
    for name, report in pages.items():
        for format_ in ("html", "json"):
            with (folder / f"{name}.{format_}").open("w", encoding="utf-8") as file:
                FORMATS[format_](report, file)
    for name, arguments in COMMANDS.items():
        command = [*arguments, "--db", str(database), "--out", str(folder / f"{name}.html")]
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert result.exit_code == 0, result.stderr


def open_page(browser, path, width, height, **options):
    """Open a page; return it, and a list of what it requests and logs from now on."""
    messages = []

    def record_request(request):
        if not request.url.startswith("file:"):
            messages.append(request.url)

    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", record_request)
    page.goto(path.as_uri())
    return page, messages


def wait_until(page, expression):
    """Wait until the expression is true. Playwright's wait uses eval, which the page forbids."""
    for _ in range(1_500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(expression)


def draw_all(page):
    """Scroll to every chart, so that each is drawn live."""
    for index, figure in enumerate(page.locator("figure").all()):
        figure.scroll_into_view_if_needed()
        wait_until(page, f"document.querySelectorAll('figure')[{index}].matches('.drawn')")
    page.evaluate("scrollTo(0, 0)")
