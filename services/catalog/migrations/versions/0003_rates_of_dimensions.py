# SPDX-License-Identifier: Apache-2.0
"""Usage rates may have a type, tiers and dimension values; rates can be withdrawn and corrected.

Why: reported usage is priced by them, and a mistyped price must be repairable. Lock: ACCESS EXCLUSIVE on rates while
its rows are checked and the constraint is built; adding and reading prices waits for it. Size: a card has at most
10,000 rates; one million rates take about a minute.

rates_never_overlap now protects each choice of dimension values separately, and ignores rates that price nothing
(withdrawn) or that share the span of the rate that they correct. An exclusion constraint cannot compare jsonb, so it
compares hashes of its text; jsonb sorts its keys.

The revision before may serve meanwhile. It adds FLAT rates without dimensions, as the defaults say. A GRADUATED rate
has no price_micros, so that revision fails to read it instead of pricing usage at zero. It treats withdrawn and
correcting rates as ordinary ones: withdraw and correct rates when the last replica is upgraded.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE catalog.rates
            ADD COLUMN rate_type text NOT NULL DEFAULT 'FLAT'
                CHECK (rate_type IN ('FLAT', 'GRADUATED', 'PACKAGE')),
            ADD COLUMN tiers jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_array_length(tiers) <= 20),
            ADD COLUMN dimension_values jsonb NOT NULL DEFAULT '{}'
                CHECK (jsonb_typeof(dimension_values) = 'object'),
            ADD COLUMN create_time timestamptz,
            ADD COLUMN withdraw_time timestamptz,
            ADD COLUMN corrects_rate_id text COLLATE "C" REFERENCES catalog.rates
                CHECK (corrects_rate_id <> rate_id),
            ADD COLUMN ended_by_rate_id text COLLATE "C" REFERENCES catalog.rates DEFERRABLE INITIALLY DEFERRED,
            ALTER COLUMN price_micros DROP NOT NULL,
            ALTER COLUMN per_micros DROP NOT NULL,
            ADD CHECK ((rate_type = 'GRADUATED') = (price_micros IS NULL)),
            ADD CHECK ((rate_type = 'GRADUATED') = (per_micros IS NULL)),
            ADD CHECK ((rate_type = 'GRADUATED') = (tiers <> '[]')),
            ADD CHECK (billing_frequency = 'NONE' OR (rate_type = 'FLAT' AND dimension_values = '{}')),
            ADD CHECK (corrects_rate_id IS NULL OR (withdraw_time IS NULL AND create_time IS NOT NULL)),
            ADD CHECK (ended_by_rate_id IS NULL OR end_time IS NOT NULL),
            DROP CONSTRAINT rates_rate_card_id_product_id_billing_frequency_effective_t_key,
            DROP CONSTRAINT rates_never_overlap,
            ADD CONSTRAINT rates_never_overlap EXCLUDE USING gist (
                catalog.text_span(rate_card_id, rate_card_id, '[]') WITH &&,
                catalog.text_span(product_id, product_id, '[]') WITH &&,
                catalog.text_span(billing_frequency, billing_frequency, '[]') WITH &&,
                catalog.text_span(
                    md5(dimension_values::text) COLLATE "C", md5(dimension_values::text) COLLATE "C", '[]'
                ) WITH &&,
                tstzrange(effective_time, end_time) WITH &&
            ) WHERE (corrects_rate_id IS NULL AND withdraw_time IS NULL)
    """)
    op.execute("""
        CREATE INDEX rates_of_card_idx ON catalog.rates
            (rate_card_id, product_id, billing_frequency, effective_time)
    """)
    op.execute("""
        CREATE INDEX rates_correcting_idx ON catalog.rates (rate_card_id, corrects_rate_id, create_time)
            WHERE corrects_rate_id IS NOT NULL
    """)
