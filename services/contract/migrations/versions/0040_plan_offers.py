# SPDX-License-Identifier: Apache-2.0
"""Plan offers: plans to which customers may change their contracts themselves.

Lock: none on existing tables. The previous version knows of no offers. A vendor has some tens of them, so the primary
key is index enough.
"""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.plan_offers (
            plan_offer_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            description text NOT NULL CHECK (length(description) <= 1000),
            terms jsonb NOT NULL CHECK (jsonb_typeof(terms) = 'object'),
            customer_ids text[] COLLATE "C" NOT NULL CHECK (cardinality(customer_ids) <= 100),
            create_time timestamptz NOT NULL,
            archive_time timestamptz CHECK (archive_time >= create_time)
        )
    """)
