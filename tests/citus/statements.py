# SPDX-License-Identifier: Apache-2.0
"""The SQL in the source of the Ledger's store, and whether it is a part of statements that have run.

Statements are composed of texts, and on Citus they are narrowed to one customer. So texts are compared in a form that
is the same with and without narrowing.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from deploy.local.database import SOURCE_ROOT

STORE: Final = SOURCE_ROOT / "services/ledger/store"
_SQL: Final = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|JOIN|WHERE|FOR (UPDATE|SHARE)|ON CONFLICT|SET LOCAL)\b"
)
# What is filled in, and how rows of a guarded write are inserted: on Citus as VALUES.
_PLACEHOLDER: Final = re.compile(
    r"SELECT d\.[^()]* FROM \{rows\} JOIN guard USING \([^)]*\)( CROSS JOIN .* AS s \(slot\))?|\{\w*\}"
)
_ALIAS: Final = re.compile(r"(\bledger\.\{\w*\}) AS (?=[a-z])")
_CUT: Final = "\0"
_NARROWING: Final = frozenset({"citus.py", "writing_on_citus.py"})
# What differs between a text and the same text on Citus, and what both become.
_SAME: Final = (
    (re.compile(r"\s+"), " "),
    (re.compile(r"\( "), "("),
    (re.compile(r" \)"), ")"),
    (re.compile(r"\$\d+"), "$"),
    (re.compile(r"\$::text IS NULL OR "), ""),  # VerifyLedger of one customer
    (re.compile(r"\(SELECT \* FROM (ledger\.\w+) WHERE customer_id = \$\) AS (\w+)"), r"\1 \2"),
    (re.compile(r"\b(ledger\.\w+) AS (?=[a-z])"), r"\1 "),
    (re.compile(r"\bledger\.(\w+) \1\b"), r"ledger.\1"),
    (re.compile(r" AND \w+\.customer_id = \$ ?(?=RETURNING|\)|$)"), " "),
    (re.compile(r"\s+"), " "),
    (re.compile(r" \)"), ")"),
)


class Text(NamedTuple):
    """A text of SQL in the source, as the pieces between what is filled in when it runs."""

    place: str
    pieces: tuple[str, ...]

    def is_in(self, statement: str) -> bool:
        """Return whether the pieces are in a canonical statement, in their order."""
        at = 0
        for piece in self.pieces:
            found = statement.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return True


def canonical(sql: str) -> str:
    """Return SQL in the form in which texts are compared."""
    for pattern, same in _SAME:
        sql = pattern.sub(same, sql)
    return sql.strip()


def texts_of_store() -> list[Text]:
    """Return every text of SQL in the store's source, without what narrows texts."""
    return [
        Text(f"{path.relative_to(STORE)}:{line}", pieces)
        for path in sorted(STORE.rglob("*.py"))
        if path.name not in _NARROWING
        for line, pieces in _texts(path)
    ]


def never_ran(texts: Iterable[Text], statements: Iterable[str]) -> list[Text]:
    """Return the texts that are in none of the statements."""
    known = [canonical(statement) for statement in statements]
    return [text for text in texts if not any(text.is_in(statement) for statement in known)]


def _texts(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(id(node.value))  # a docstring
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
            skipped.update(id(part) for part in ast.walk(node))
        elif isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            skipped.update(id(part) for part in node.values)
            yield from _sql(node, [_value(part) for part in node.values])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield from _sql(node, [node.value])


def _value(part: ast.expr) -> str:
    """Return a literal part of an f-string; what is computed counts as a placeholder."""
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}"


def _sql(node: ast.expr, parts: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    whole = _ALIAS.sub(r"\1 ", "".join(parts))
    if _SQL.search(whole):
        pieces = tuple(
            piece for part in _PLACEHOLDER.sub(_CUT, whole).split(_CUT) if (piece := canonical(part))
        )
        yield node.lineno, pieces
