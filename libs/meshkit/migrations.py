# SPDX-License-Identifier: Apache-2.0
"""The whole body of every services/<svc>/migrations/env.py: `run_env("<svc>")`."""

from alembic import context
from sqlalchemy import Connection, text


def run_env(schema: str) -> None:
    """Run the pending revisions in the schema of that name, each in a transaction of its own.

    Makes the schema when it is not there; the version table lives in it. Called by Alembic, through
    meshkit.db.migrate, which hands over the connection.
    """
    connection: Connection = context.config.attributes["connection"]
    _make_schema(connection, schema)
    context.configure(
        connection=connection,
        version_table="alembic_version",
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _make_schema(connection: Connection, schema: str) -> None:
    # Asked first: a role that may not create schemas may still own this one.
    known = connection.execute(
        text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": schema}
    ).scalar_one()
    if not known:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.commit()
