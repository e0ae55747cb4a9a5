# SPDX-License-Identifier: Apache-2.0
"""Which customers a search finds: by their id, by the beginning of an alias, by the beginnings of words of the name."""

import string
from typing import Any, Final

from sqlalchemy import ColumnElement, CompoundSelect, func, literal_column, select, union

from services.contract.tables import customer_aliases, customers

# Must be the expressions of the indexes that migration 0038 builds.
_ALIAS: Final = func.lower(customer_aliases.c.alias)
_PUNCTUATION: Final = string.punctuation.replace("'", "''")
_WORDS: Final[ColumnElement[Any]] = literal_column(
    f"to_tsvector('simple', translate(lower(customers.name), '{_PUNCTUATION}', repeat(' ', 32)))"
)
_TO_SPACES: Final = str.maketrans(dict.fromkeys(string.punctuation, " "))


def found_by(search: str) -> CompoundSelect[Any]:
    """Return the statement for the ids of the customers that a search finds; search: not empty."""
    by_id = select(customers.c.customer_id).where(customers.c.customer_id == search)
    by_alias = select(customer_aliases.c.customer_id).where(_ALIAS.like(func.lower(_beginning(search))))
    words = search.translate(_TO_SPACES).split()
    if not words:
        return union(by_id, by_alias)
    # Nothing else that to_tsquery would take for an operator is left in the words.
    asked = " & ".join(f"{word}:*" for word in words)
    by_name = select(customers.c.customer_id).where(
        _WORDS.op("@@")(func.to_tsquery(literal_column("'simple'"), func.lower(asked)))
    )
    return union(by_id, by_alias, by_name)


def _beginning(text: str) -> str:
    """Return the LIKE pattern of what begins with a text."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"
