"""Files of claims: what is wrong in them is refused with a message that says what to do."""

import re

import pytest
from claim_texts import HEAD, PRIMARY, SUM, TENSORFLOW, accepts

from hfscan.errors import ReportConfigError
from hfscan.report.claims import evaluate_claims
from hfscan.report.claims.spec import load_claims
from hfscan.store import Store


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claim = ", "cannot be read"),
        ("x = " + "[" * 10_000, "cannot be read"),
        (HEAD + accepts(0, 1) + PRIMARY + "colour = 1\n", "colour"),
        (HEAD + accepts(0, 1) + PRIMARY.replace('why = "W."\n', ""), "needs a `why`"),
        (HEAD + PRIMARY, "It needs accepts"),
        (HEAD + accepts(0, 1), "It needs one of these: [primary]"),
        (HEAD + accepts(0, 1) + PRIMARY + SUM.format(0.1), "It needs one of these: [primary]"),
        (HEAD.replace('source_note = "A test."\n', "") + accepts(0, 1) + PRIMARY, "source_url"),
        (HEAD + 'source_url = "javascript:x"\n' + accepts(0, 1) + PRIMARY, "https://"),
        (HEAD.replace('made = "2024"', 'made = "May"') + accepts(0, 1) + PRIMARY, "made is 'May'"),
        (HEAD + accepts(0.8, 0.7) + PRIMARY, "least first"),
        (HEAD + accepts("nan", 0.7) + PRIMARY, "least first"),
        (HEAD + accepts(50, 60) + PRIMARY, "50 % is 0.5"),
        (HEAD + SUM.format(1.2), "between 0 and 1"),
        (HEAD + accepts(0, 1) + PRIMARY.replace(', column = "share"', ""), "need a column"),
        (HEAD + accepts(0, 1) + PRIMARY.replace('"pytorch"', '"pytorhc"'), "'pytorch'"),
        (HEAD + accepts(0, 1) + PRIMARY + "until = 2024-01-01\n", "`at` and a period"),
        (HEAD + accepts(0, 1) + PRIMARY.replace("at = 2024-01-01", ""), "needs `at`"),
        (HEAD + accepts(0, 1) + PRIMARY.replace("at =", "since ="), "both since and until"),
        (HEAD + accepts(0, 1) + PRIMARY + "deleted_most = 1.0\n", "less than 1"),
        (HEAD + accepts(0, 1) + PRIMARY + "deleted_most = 0.1\n", 'set unit = "count"'),
        (HEAD + accepts(0, 1) + PRIMARY + "\n[alternative]\nreading = 'x'\n", "[[alternative]]"),
        (
            HEAD + accepts(0, 1) + PRIMARY + TENSORFLOW.format(kind="alternative", key="why"),
            "needs a `choice`",
        ),
        (HEAD + accepts(0, 1) + PRIMARY.replace("exclusivity", "exclusivty"), "exclusivity"),
        (HEAD + accepts(0, 1) + PRIMARY.replace('name = "exclusive"', 'nme = "x"'), "nme"),
        (HEAD + accepts(0, 1) + PRIMARY + "parameters = { bye = 1 }\n", "no parameter 'bye'"),
        (HEAD + accepts(0, 1) + PRIMARY.replace('"share"', '"framework"'), "has no numbers"),
        (HEAD + accepts(0, 1) + PRIMARY.replace('"share"', '"denominator"'), "a share cannot be"),
        (
            HEAD + accepts(0, 1) + PRIMARY.replace('framework = "pytorch", ', ""),
            "2 rows match. Name one, or set sum = true",
        ),
    ],
)
def test_invalid_claim_is_refused(evaluate_claim, tmp_path, text, message):
    evaluate_claim(accepts(0, 1) + PRIMARY)
    (tmp_path / "own" / "10-own.toml").write_text(text)
    with (
        Store.open(tmp_path / "h.duckdb") as store,
        pytest.raises(ReportConfigError, match=re.escape(message)),
    ):
        list(evaluate_claims(store, tmp_path / "own"))


def test_names_of_files_are_checked(evaluate_claim, tmp_path):
    evaluate_claim(accepts(0, 1) + PRIMARY)
    text = (tmp_path / "own" / "10-own.toml").read_text()
    for name, message in {
        "20-own.toml": "the same name",
        "My claim.toml": "needs another name",
        "verdicts.toml": "needs another name",
    }.items():
        (tmp_path / "own" / name).write_text(text)
        with pytest.raises(ReportConfigError, match=message):
            load_claims(tmp_path / "own")
        (tmp_path / "own" / name).unlink()
