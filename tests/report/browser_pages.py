"""Reports of models with unusual names, for the tests in a browser."""

from contextlib import contextmanager
from itertools import product

from testhub import FakeHub, Population

from hfscan.figures import SnapshotView
from hfscan.pipeline import crawl
from hfscan.report import ReportRequest, build, build_database_report, compare
from hfscan.scope import Scope
from hfscan.store import Store

HOSTILE = "<img src=x onerror=hit=1></script><script>hit=1</script>\"'>{{7*7}}"
ODD_NAMES = [
    'x"$width', "$width", "$inner_width", '{"$size":"width"}', "${x}", "</script>", "%s", "a\\b",
    "\\u003c", "'q'", "\u200b\u202eodd\n\x1b[1m", "{{7*7}}", "<!--", "datum.x", "__proto__",
    "constructor", "nil", "https://vega.github.io/schema/vega/v6.json",
]  # fmt: skip
"""Names of libraries that are also syntax of templates, expressions or objects of JavaScript."""


@contextmanager
def build_hostile_reports(path):
    """Yield reports of hostile models, crawled from a fake Hub into a database."""
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
        yield {
            "hostile": build(view, ReportRequest(2022)),
            "hostile-all": build(view, ReportRequest(None)),
            "hostile-compare": compare(earlier_report, later_report, view),
            "hostile-claims": build_database_report(store, "claims"),
        }


@contextmanager
def build_odd_report(path):
    """Yield a report by library of models whose libraries have unusual names."""
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
        yield build(
            SnapshotView.choose(store, None), ReportRequest(2022, by="library", top=len(ODD_NAMES))
        )
