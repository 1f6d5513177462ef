"""`hfscan lineage` draws what a model was made from, and what was made from it."""

import json
import re

import pytest
from dumps import ingest_models

import hfscan
from hfscan.scope import Scope


def model(name, *bases, relation="finetune", license_="mit", downloads=0, tags=()):
    relations = [f"base_model:{relation}:{base}" for base in bases]
    named = [f"base_model:{base}" for base in bases]
    return {
        "id": name,
        "tags": ["pytorch", *tags, *named, *relations, f"license:{license_}"],
        "downloads": downloads,
    }


MODELS = [
    model("a/base", license_="apache-2.0", downloads=1_000),
    model("a/chat", "a/base", downloads=100),
    model("b/merge", "a/chat", "z/gone", relation="merge", downloads=7),
    model("b/merge-gguf", "b/merge", relation="quantized", tags=["gguf"], downloads=5_000),
    *(model(f"c/adapter-{n}", "a/chat", relation="adapter", downloads=n) for n in range(9)),
    model("d/one", "d/two"),
    model("d/two", "d/one"),
    model("e/orphan", "z/gone", downloads=3),
    {"id": "f/unnamed", "tags": ["base_model:a/base", "lora"], "downloads": 2},
    {"id": "f/unknown", "tags": None, "downloads": 1},
    model('g/<b>"x"]|`\u202e', "a/base", license_="<script>", downloads=999),
]


@pytest.fixture
def run_lineage(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a line for each model
    ingest_models(tmp_path / "h.duckdb", MODELS)

    def run(*arguments, code=0):
        result, out, err = run_cli("lineage", *arguments, "--db", tmp_path / "h.duckdb")
        assert result == code, err
        return out if code == 0 else err

    return run


def read_lines(out):
    return [line.rstrip() for line in out.splitlines()]


def test_text_fits_the_terminal(run_lineage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    summary, _, legend = run_lineage("b/merge").split("\n\n")
    lines = (summary + "\n" + legend).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines == read_lines(summary + "\n" + legend)
    assert "only with its first base" in " ".join(legend.split())
    assert "only with its first base" not in run_lineage("a/base", "--down", 1)


def test_tree_has_bases_above_and_derivatives_below(run_lineage):
    lines = read_lines(run_lineage("a/chat", "--top", 2))
    assert " ".join(lines[:1]) == (
        "In the snapshot of 11 July 2024, a/chat names 1 base model. 11 models descend from it, "
        "10 directly. All 11 together had 5,043 downloads in 30 days."
    )
    assert lines[2:] == [
        "a/base  1,000 downloads · PyTorch · apache-2.0",
        "↓ a/chat  finetune · 100 downloads · PyTorch · mit (base: apache-2.0)",
        "├── c/adapter-8  adapter · 8 downloads · PyTorch · mit",
        "├── b/merge  merge · 7 downloads · PyTorch · mit · also from z/gone",
        "│   └── b/merge-gguf  quantized · 5,000 downloads · PyTorch + GGUF · mit",
        "└── … and 8 more",
        "",
        "A model of several bases descends from each of them; `hfscan query lineage_families` "
        "counts it only with its first base in the snapshot. Downloads are those of the 30 days "
        "before the snapshot.",
    ]


def test_sum_of_downloads_says_of_how_many_models_it_is(run_cli, tmp_path):
    models = [model("a/base"), model("a/one", "a/base", downloads=7), model("a/two", "a/base")]
    models[2]["downloads"] = None
    ingest_models(tmp_path / "h.duckdb", models)
    _, out, _ = run_cli("lineage", "a/base", "--db", tmp_path / "h.duckdb")
    text = (
        "2 models descend from it, 2 directly. The 1 of known downloads had 7 downloads in 30 days."
    )
    assert text in " ".join(out.split())


NAMES = ("gpt2", "GPT2", "openai-community/gpt2", "OpenAI-Community/GPT2")


@pytest.mark.parametrize("name", NAMES)
def test_model_is_found_by_former_names_and_in_other_case(run_cli, tmp_path, name):
    """The Hub redirects gpt2 to openai-community/gpt2, and does not distinguish case."""
    models = [model("openai-community/gpt2"), model("b/tuned", "gpt2"), model("c/gpt2")]
    db = tmp_path / "h.duckdb"
    ingest_models(db, models)
    _, out, err = run_cli("lineage", name, "--db", db)
    assert "openai-community/gpt2 names no base model. 1 model descends" in " ".join(out.split()), (
        err
    )
    assert "openai-community/gpt2 in snapshot 1" in run_cli("explain", name, "--db", db)[1]
    for query in ("group_summary", "group_history", "group_events"):
        code, out, err = run_cli("query", query, "--param", f"family={name}", "--db", db)
        assert (code, "Nothing" in err) == (0, query == "group_events"), err
    _, out, _ = run_cli("query", "group_summary", "--param", f"family={name}", "--format", "json",
                        "--db", db)  # fmt: skip
    assert [(row["family"], row["models"]) for row in json.loads(out)] == [
        ("openai-community/gpt2", 2)
    ]
    _, out, _ = run_cli("query", "lineage_tree", "--param", f"model={name}", "--format", "json",
                        "--db", db)  # fmt: skip
    assert [row["model"] for row in json.loads(out)] == ["openai-community/gpt2", "b/tuned"]
    with hfscan.open_database(db) as database:
        assert database.history(name)[0]["id"] == "openai-community/gpt2"
        assert len(database.history(f"family:{name}")) == 1


def test_name_that_two_models_have_in_other_case_is_of_none(run_cli, tmp_path):
    db = tmp_path / "h.duckdb"
    ingest_models(db, [model("a/One"), model("a/oNe")])
    for command in ("lineage", "explain", "show"):
        code, _, err = run_cli(command, "a/ONE", "--db", db)
        assert code == 7
        assert {"a/One", "a/oNe"} <= {*re.split("[ ,.]+", err.split("Similar names:")[1])}
        assert run_cli(command, "a/oNe", "--db", db)[0] == 0


def test_model_is_found_by_a_later_name(run_cli, tmp_path):
    db = tmp_path / "h.duckdb"
    ingest_models(db, [model("gpt2"), model("b/tuned", "gpt2")])
    _, out, _ = run_cli("lineage", "openai-community/gpt2", "--db", db)
    assert "gpt2 names no base model. 1 model descends" in " ".join(out.split())


def test_steps_can_be_limited(run_lineage):
    lines = read_lines(run_lineage("a/chat", "--up", 0, "--down", 1, "--top", 2))
    assert lines[2] == "a/chat  finetune · 100 downloads · PyTorch · mit · from a/base"
    assert lines[4:6] == [
        "├── b/merge  merge · 7 downloads · PyTorch · mit · also from z/gone",
        "│   └── … 1 made from it",
    ]
    assert "descend from it, 10 directly" in lines[0]
    assert "a/base  1,000" not in "".join(read_lines(run_lineage("b/merge", "--up", 1))[2:])


def test_missing_bases_and_cycles_are_drawn(run_lineage):
    gone = run_lineage("z/gone")
    assert "does not have z/gone, but models name it as base. 3 models descend from it" in gone
    assert "z/gone  not in the snapshot" in gone
    assert "z/gone  not in the snapshot\n↓ e/orphan" in run_lineage("e/orphan")
    cycle = run_lineage("d/one")
    assert "part of a cycle" in cycle
    assert cycle.count("d/two  finetune") == 2
    assert "part of a cycle" in run_lineage("d/one", "--up", "0", "--down", "0")
    assert "does not tell what f/unknown was made from" in run_lineage("f/unknown")


def test_totals_do_not_depend_on_the_steps_drawn(run_lineage, run_cli, tmp_path):
    assert "11 models descend from it, 10 directly" in run_lineage("a/chat", "--down", 0)
    chain = [{"id": "n/0", "tags": []}]
    chain += [{"id": f"n/{n}", "tags": [f"base_model:n/{n - 1}"]} for n in range(1, 300)]
    cycle = [{"id": f"o/{n}", "tags": [f"base_model:o/{(n + 1) % 250}"]} for n in range(250)]
    db = tmp_path / "deep.duckdb"
    ingest_models(db, chain + cycle)
    assert "299 models descend from it, 1 directly." in run_cli("lineage", "n/0", "--db", db)[1]
    _, out, _ = run_cli("lineage", "o/7", "--db", db)
    assert "part of a cycle" in out
    assert "249 models descend from it, 1 directly." in out


def test_bases_above_are_not_indented(run_cli, tmp_path):
    chain = [{"id": f"n/{n}", "tags": [f"base_model:n/{n - 1}"]} for n in range(60)]
    ingest_models(tmp_path / "h.duckdb", chain)
    _, out, _ = run_cli("lineage", "n/59", "--up", 60, "--db", tmp_path / "h.duckdb")
    assert "↓ n/58  finetune? · framework unknown · no license" in read_lines(out)


def test_models_that_do_not_fit_the_terminal_are_counted(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    chain = [{"id": f"n/{n}", "tags": [f"base_model:n/{n - 1}"]} for n in range(60)]
    ingest_models(tmp_path / "h.duckdb", chain)
    _, out, _ = run_cli("lineage", "n/0", "--down", 59, "--db", tmp_path / "h.duckdb")
    drawn = len(re.findall(r"└── n/\d+", out))
    assert drawn >= 10
    assert f"… and {59 - drawn} below; --format json has all" in " ".join(out.split())


def test_long_names_and_many_bases_are_cut(run_cli, tmp_path):
    models = [
        {"id": "a/merge", "tags": [f"base_model:b/{n}" for n in range(100)], "downloads": 1},
        {"id": "a/long", "tags": [f"base_model:{'x' * 5000}"]},
    ]
    ingest_models(tmp_path / "h.duckdb", models)
    _, out, _ = run_cli("lineage", "a/merge", "--db", tmp_path / "h.duckdb")
    line = " ".join(out.split())
    assert "names 100 base models" in line
    assert "↓ a/merge merge? · 1 download ·" in line
    assert "also from b/1, b/2, b/3, b/4, b/5 and 94 more" in line
    for format_ in ("terminal", "mermaid", "html"):
        args = ("lineage", "a/long", "--format", format_, "--db", tmp_path / "h.duckdb")
        out = "".join(run_cli(*args)[1].split())
        assert "x" * 200 + "..." in out
        assert "x" * 201 not in out


def test_part_of_the_hub_is_named(run_cli, tmp_path):
    ingest_models(tmp_path / "h.duckdb", MODELS, scope=Scope(author="a"))
    _, out, _ = run_cli("lineage", "a/base", "--db", tmp_path / "h.duckdb")
    assert "The snapshot holds only a part of the Hub." in " ".join(out.split())


def test_relation_is_unknown_without_tags(run_cli, tmp_path):
    base = {"models": [{"id": "a/base"}], "relation": None}
    ingest_models(tmp_path / "h.duckdb", [{"id": "a/child", "baseModels": base}])
    _, out, _ = run_cli("lineage", "a/child", "--db", tmp_path / "h.duckdb")
    assert "a/child  relation unknown · framework unknown · license unknown" in out
    assert "A relation with ?" not in out


def test_inferred_relations_are_marked(run_lineage):
    out = run_lineage("f/unnamed")
    assert "f/unnamed  adapter? · 2 downloads" in out
    assert "A relation with ? is not declared" in out
    assert "A relation with ?" not in run_lineage("a/chat")


def test_unknown_models_get_suggestions(run_lineage):
    assert "Similar names: a/chat" in run_lineage("a/chatt", code=7)
    assert "has no model" in run_lineage("no/such-model", code=7)


def test_json_has_all_models_within_the_steps(run_lineage, tmp_path):
    document = json.loads(run_lineage("a/chat", "--format", "json", "--down", 1, "--top", 1))
    names = {row["model"]: row["direction"] for row in document["models"]}
    assert names.pop("a/base") == "up"
    assert names.pop("a/chat") == "itself"
    assert names == {"b/merge": "down"} | {f"c/adapter-{n}": "down" for n in range(9)}
    assert document["models"][0]["frameworks"] == ["pytorch"]


def test_untrusted_names_are_escaped(run_lineage, tmp_path):
    terminal = run_lineage("a/base")
    assert "\u202e" not in terminal
    assert 'g/<b>"x"]|`\N{REPLACEMENT CHARACTER}  finetune' in terminal
    mermaid = run_lineage("a/base", "--format", "mermaid")
    labels = re.findall(r"n\d+\[\"(.*)\"\]$", mermaid, re.M)
    assert any("#60;script#62;" in label for label in labels)
    assert not [label for label in labels if re.search(r"[\"`|\[\]]", label)]
    assert {*re.findall("<[^>]*>", "".join(labels))} == {"<br>", "<small>", "</small>"}
    run_lineage("a/base", "--out", "tree.html")
    page = (tmp_path / "tree.html").read_text()
    assert "<script" not in page
    assert "g/&lt;b&gt;&#34;x&#34;" in page
    assert "default-src 'none'" in page


def test_format_follows_the_extension(run_lineage, tmp_path):
    run_lineage("a/chat", "--out", "tree.mmd")
    assert (tmp_path / "tree.mmd").read_text().startswith("flowchart LR\n")
    assert "Known: .txt, .mmd" in run_lineage("a/chat", "--out", "tree.xyz", code=2)
    conflict = run_lineage("a/chat", "--out", "tree.html", "--format", "json", code=2)
    assert "does not match" in conflict


def test_former_name_leads_to_the_model(run_cli, tmp_path):
    """bert-base-uncased got an account in 2024; its new name is known without a redirect."""
    models = [
        model("google-bert/bert-base-uncased", downloads=9),
        model("ann/bert-base-uncased", downloads=99),
        model("ann/tuned", "bert-base-uncased"),
    ]
    db = tmp_path / "h.duckdb"
    ingest_models(db, models)
    code, out, err = run_cli("lineage", "bert-base-uncased", "--db", db)
    assert code == 0, err
    assert "↓" not in out
    assert "google-bert/bert-base-uncased  9 downloads" in out
    assert "└── ann/tuned" in out
    code, out, err = run_cli("explain", "bert-base-uncased", "--db", db)
    assert code == 0, err
    assert "google-bert/bert-base-uncased in snapshot 1" in out + err
    assert run_cli("lineage", "bert-base-cased", "--db", db)[0] == 7  # its model is not there
