# SPDX-License-Identifier: Apache-2.0
"""What the guarded write needs: the epoch of the Catalog's copies, and no foreign keys on the hot tables.

Why: a decision made from memory is proved by the versions of its pool and of the Catalog's copies (epochs). The
foreign keys from every hold, entry, spend and grant to its pool cost a look-up and a row lock each; the guard of
the one statement that writes them says the same, and VerifyLedger finds an orphan.
Lock: ACCESS EXCLUSIVE on the four tables, for an instant each. Size: no row is touched.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE ledger.epochs (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            version bigint NOT NULL
        )
    """)
    op.execute("INSERT INTO ledger.epochs (version) VALUES (1)")
    for table in ("grants", "holds", "entries", "spends"):
        op.execute(f"ALTER TABLE ledger.{table} DROP CONSTRAINT {table}_customer_id_credit_type_id_fkey")
