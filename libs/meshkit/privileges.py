# SPDX-License-Identifier: Apache-2.0
"""What the runtime role of a service may do in its schema. The owner, who migrates, grants it after each migration."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

ROWS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
APPEND: Final = frozenset({"SELECT", "INSERT"})
VERSION_TABLE: Final = "alembic_version"

# Also read of the owner, whose privileges are the default ones until some are revoked.
_HELD = """
    SELECT c.relname AS name, coalesce(array_agg(a.privilege_type) FILTER (WHERE r.oid = a.grantee), '{}') AS held
    FROM pg_class c CROSS JOIN pg_roles r
    LEFT JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a ON r.oid = a.grantee
    WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind IN ('r', 'p') AND r.rolname = :role
    GROUP BY c.relname ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """The tables of a schema that are not read and changed row by row, by name; all others are.

    append_only: rows are inserted and read, and nothing else. truncated: partitions, which are used through their
    parent, and emptied as a whole.
    """

    append_only: Set[str] = frozenset()
    truncated: Set[str] = frozenset()

    def of(self, table: str) -> Set[str]:
        """Return what the runtime role may do with a table, as in SQL."""
        if table == VERSION_TABLE:
            return frozenset()
        if table in self.append_only:
            return APPEND
        return frozenset({"TRUNCATE"}) if table in self.truncated else ROWS


NOTHING_RESTRICTED: Final = Privileges()


def open_schema(connection: Connection, *, schema: str, role: str) -> None:
    """Let a role use the schema, and change rows of every table that is created in it from now on.

    Called before a migration: a table that takes another one's name is usable at once.
    """
    if role != _current_role(connection):
        grantee = _quoted(role)
        connection.execute(text(f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {grantee}"))
        connection.execute(
            text(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA {_quoted(schema)}"
                f" GRANT {', '.join(sorted(ROWS))} ON TABLES TO {grantee}"
            )
        )


def give(connection: Connection, *, schema: str, role: str, privileges: Privileges) -> None:
    """Give a role exactly `privileges` on all tables of the schema; those that have them are not touched.

    If it is the owner itself, it only gives up what append-only tables forbid, and could take it back.
    """
    is_owner = role == _current_role(connection)
    for name, held in connection.execute(text(_HELD), {"schema": schema, "role": role}).all():
        wanted = privileges.of(name)
        table = f"{_quoted(schema)}.{_quoted(name)}"
        if is_owner:
            if name in privileges.append_only and (excess := (ROWS | {"TRUNCATE"}) & set(held) - wanted):
                connection.execute(
                    text(f"REVOKE {', '.join(sorted(excess))} ON {table} FROM {_quoted(role)}")
                )
        elif set(held) != wanted:
            connection.execute(text(f"REVOKE ALL ON {table} FROM {_quoted(role)}"))
            if wanted:
                connection.execute(text(f"GRANT {', '.join(sorted(wanted))} ON {table} TO {_quoted(role)}"))


def _current_role(connection: Connection) -> str:
    role: str = connection.execute(text("SELECT current_user")).scalar_one()
    return role


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
