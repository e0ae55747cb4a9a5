# SPDX-License-Identifier: Apache-2.0
"""Entries are appended, and neither changed nor taken away: the service's own role may not.

Why: balances are sums of entries. The role owns the table, and PostgreSQL lets an owner give up rights on its own
table (42501 from then on); it could take them back, but only by saying so (GRANT), which no statement of the service
does. A wall that the service cannot open would need a table of another role's, and a migration that runs as that.
Lock: none that anyone could wait for. Size: no row is touched.
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON ledger.entries FROM CURRENT_USER")
