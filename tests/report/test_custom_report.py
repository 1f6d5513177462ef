"""Reports of the user's own, and reports on snapshots without models."""

import pytest
from dumps import A, B, ingest_models


def write_spec(folder, query, keys=""):
    """Write the report `mine`, of one section about all models."""
    spec = folder / "reports" / "mine" / "report.toml"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        'title = "Mine"\nheadline = "all"\n[[section]]\nname = "all"\ntitle = "All of them"\n'
        f'population = "existing"\nquery = "{query}"\n{keys}'
    )


@pytest.fixture
def report(run_cli, tmp_path):
    """Run `hfscan report` on a database of these models; return the result."""

    def run(models, *options):
        ingest_models(tmp_path / "h.duckdb", models)
        return run_cli("report", "--db", str(tmp_path / "h.duckdb"), *options)

    return run


def test_report_of_a_breakdown_only(report, tmp_path):
    write_spec(tmp_path, "breakdown")
    mine = ("--reports", str(tmp_path / "reports"), "--name", "mine")
    code, text, errors = report([A, B], *mine)
    assert code == 0, errors
    text = " ".join(text.split())
    assert "Of the 2 models in the snapshot: PyTorch only 1 (50.0 % *)" in text
    assert "TensorFlow only 1 2 50.0 % *" in text


def test_report_with_a_headline_without_figures(report, tmp_path):
    write_spec(tmp_path, "formats", 'parameters = { cutoff = "included" }')
    code, text, errors = report([A, B], "--reports", str(tmp_path / "reports"), "--name", "mine")
    assert code == 0, errors
    assert "All of them." in text


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ([], (), "Snapshot 1 has no models, so there are no groups by author."),
        ([A], ("--year", "2022"), "has no models created from 2 March to 31 December 2022, so"),
    ],
)
def test_grouping_of_no_models_is_refused(report, models, options, message):
    code, _, errors = report(models, *options, "--by", "author")
    assert code == 7
    assert message in " ".join(errors.split())
