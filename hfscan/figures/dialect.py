"""Named queries in the SQL of other engines, over the tables of an export.

The macros of the schema and the parameters are expanded first; sqlglot then writes the plain SQL in
the engine's dialect.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import cast

from sqlglot import exp, parse_one
from sqlglot.optimizer.simplify import simplify

from hfscan.errors import InvalidRequestError
from hfscan.figures.queries import Query
from hfscan.frameworks import taxonomy
from hfscan.store import Macro
from hfscan.store.parquet import EXPORTED_COLUMNS, EXPORTED_MASKS

_SAME_COLUMNS = (
    "_id", "id", "author", "sha", "tags", "library_name", "pipeline_tag", "downloads", "likes",
    "gated", "disabled", "unreadable",
)  # fmt: skip
"""Columns of the relation `census` that an export holds by the same name."""


def translate(
    query: Query, parameters: Mapping[str, object], macros: Mapping[str, Macro], dialect: str
) -> str:
    """Return the query for an engine that has the export's tables `models` and `frameworks`.

    Raises InvalidRequestError where the query needs tables that an export does not hold, and on an
    unknown parameter.
    """
    values = query.check_parameters(parameters, {"<frameworks>": list(taxonomy().titles)})
    tree = _to_fixpoint(parse_one(query.sql, read="duckdb"), _bind(values))
    tree = _to_fixpoint(tree, _fold_case)
    tree = _to_fixpoint(tree, lambda node: _expand_macro(node, macros))
    tree = _to_fixpoint(_to_fixpoint(tree, _make_portable), _fold_case)
    tree = _to_fixpoint(_to_fixpoint(simplify(tree), _fold_case), _drop_empty_branch)
    _check_tables(tree, query)
    if any(table.name == "census" for table in tree.find_all(exp.Table)):
        census = _census({column.name for column in tree.find_all(exp.Column)})
        tree = cast("exp.Select", tree).with_("census", census, dialect="duckdb")
        ctes = tree.args["with_"].expressions
        ctes.insert(0, ctes.pop())  # the others refer to it
    return tree.sql(dialect=dialect, pretty=True, comments=False)


def _drop_empty_branch(node: exp.Expr) -> exp.Expr:
    """Leave out the second branch of a UNION ALL where a condition on the parameters is false."""
    if isinstance(node, exp.Union):
        where = node.expression.args.get("where")
        if where and where.this == exp.false():
            branch = cast("exp.Select", node.this).copy()
            branch.set("with_", node.args.get("with_"))
            return branch
    return node


def _to_fixpoint(tree: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Apply `change` until nothing changes: `transform` does not visit the nodes that it made."""
    while (changed := tree.transform(change)) != tree:
        tree = changed
    return tree


def _bind(values: Mapping[str, object]) -> Callable[[exp.Expr], exp.Expr]:
    def bind(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Placeholder):
            value = values[node.this.name]
            if isinstance(value, datetime) or node.is_type("timestamp"):
                return exp.cast(_to_literal(value), "timestamp")
            return _to_literal(value)
        return _to_literal(values[node.name]) if isinstance(node, exp.Placeholder) else node

    return bind


def _to_literal(value: object) -> exp.Expr:
    return exp.convert(str(value) if isinstance(value, datetime) else value)


def _expand_macro(node: exp.Expr, macros: Mapping[str, Macro]) -> exp.Expr:
    call = node.this if isinstance(node, exp.Table) else node
    macro = macros.get(call.name.lower()) if isinstance(call, exp.Anonymous) else None
    if macro is None:
        return node
    arguments = dict(zip(macro.parameters, call.expressions, strict=True))

    def substitute(part: exp.Expr) -> exp.Expr:
        is_parameter = isinstance(part, exp.Column) and part.name in arguments and not part.table
        return arguments[part.name].copy() if is_parameter else part

    body = parse_one(macro.sql, read="duckdb").transform(substitute)
    if isinstance(node, exp.Table):
        alias = node.args.get("alias") or exp.to_identifier("macro")
        return exp.Subquery(this=body, alias=alias)
    return exp.paren(body)


def _make_portable(node: exp.Expr) -> exp.Expr:
    """Replace a node by an equivalent that every engine supports."""
    if isinstance(node, exp.Filter):  # aggregate(x) FILTER (WHERE y)
        aggregate, condition = node.this.copy(), node.expression.this
        inner = exp.Literal.number(1) if isinstance(aggregate.this, exp.Star) else aggregate.this
        aggregate.set("this", exp.Case().when(condition, inner))
        return cast("exp.Expr", aggregate)
    if isinstance(node, exp.ArrayContains) and isinstance(node.this, exp.Array):
        return exp.In(this=node.expression, expressions=node.this.expressions)
    if _is_call(node, "list_position") and isinstance(node.expressions[0], exp.Array):
        items, value = node.expressions
        case = exp.Case(this=value.copy())
        for position, item in enumerate(items.expressions, 1):
            case = case.when(item.copy(), exp.Literal.number(position))
        return case
    if isinstance(node, exp.GT) and _is_call(node.this, "bit_count"):  # more than one bit
        (bits,) = node.this.expressions
        pattern = parse_one("x & (x - 1) <> 0", read="duckdb")
        bits = exp.paren(bits.copy())  # it may have operators that bind less tightly
        changed = pattern.transform(lambda part: bits if isinstance(part, exp.Column) else part)
        return cast("exp.Expr", changed)
    if isinstance(node, exp.Bracket) and isinstance(node.expressions[0], exp.Slice):
        return exp.Substring(this=node.this, start=node.expressions[0].this)
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.UBIGINT:
        return exp.DataType.build("bigint")  # no mask has its highest bit
    if isinstance(node, exp.Length) and _is_list(node.this):
        return exp.ArraySize(this=node.this)
    return node


def _is_call(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == name


def _is_list(node: exp.Expr) -> bool:
    if isinstance(node, exp.Coalesce | exp.Paren):
        return any(map(_is_list, [node.this, *node.expressions]))
    return isinstance(node, exp.Array | exp.ArrayFilter | exp.Transform) or (
        isinstance(node, exp.Column)
        and node.name in ("tags", "files", "base_models", "bases", "tag_relations")
    )


def _fold_case(node: exp.Expr) -> exp.Expr:
    """Replace a CASE of a constant by the branch that applies."""
    if not isinstance(node, exp.Case) or not isinstance(node.this, exp.Literal | exp.Null):
        return node
    for branch in node.args["ifs"]:
        if isinstance(node.this, exp.Literal) and branch.this == node.this:
            return cast("exp.Expr", branch.args["true"])
    return node.args.get("default") or exp.null()


def _check_tables(tree: exp.Expr, query: Query) -> None:
    known = {"census", "frameworks"} | {cte.alias for cte in tree.find_all(exp.CTE)}
    if unavailable := sorted({table.name for table in tree.find_all(exp.Table)} - known):
        raise InvalidRequestError(
            f"Query {query.name} needs {', '.join(unavailable)}, but an export holds only one "
            "snapshot. Run it on the database: hfscan query"
        )


def _census(columns: Iterable[str]) -> str:
    """Return the SELECT of these columns of `census`, over the export's table `models`."""
    expressions = {name: name for name in _SAME_COLUMNS} | EXPORTED_COLUMNS
    expressions["key"] = "coalesce(_id, id)"
    expressions["sample_cluster"] = "CAST(NULL AS VARCHAR)"  # an export does not tell
    expressions |= {name: _to_mask(names) for name, names in EXPORTED_MASKS.items()}
    selected = (f"{sql} AS {name}" for name, sql in expressions.items() if name in columns)
    return f"SELECT {', '.join(selected)} FROM models"


def _to_mask(names: str) -> str:
    bits = " + ".join(
        f"CASE WHEN list_contains({names}, '{framework.key}') THEN {1 << framework.bit} ELSE 0 END"
        for framework in taxonomy().frameworks
    )
    return f"CASE WHEN {names} IS NOT NULL THEN {bits} END"
