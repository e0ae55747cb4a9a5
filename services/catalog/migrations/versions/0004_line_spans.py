# SPDX-License-Identifier: Apache-2.0
"""The constraint rates_never_overlap compares a line by one number.

Why: an index of four texts as ranges cannot be searched by the last of them. With rates for 10,000 dimension values,
which are all in force together, each new rate was compared with all others. A line is now the first 64 bits of the MD5
of its texts, as a range of one integer: integers are indexed well. Two of 10,000 lines have the same bits with a
probability of 3 in 10^12, and then rates of both could not be in force together.
Lock: ACCESS EXCLUSIVE on rates while the constraint is built; adding and reading prices waits for it.
Size: a card has at most 10,000 rates; one million rates take about a minute.

The revision before may serve meanwhile: it does not name the constraint's columns.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE FUNCTION catalog.line_span(
            rate_card_id text, product_id text, billing_frequency text, dimension_values jsonb
        ) RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
            SELECT int8range(bits, bits, '[]')
            FROM (
                SELECT ('x' || left(md5($1 || '/' || $2 || '/' || $3 || '/' || $4::text), 16))::bit(64)::bigint
            ) AS hashed (bits)
        $$
    """)
    op.execute("""
        ALTER TABLE catalog.rates
            DROP CONSTRAINT rates_never_overlap,
            ADD CONSTRAINT rates_never_overlap EXCLUDE USING gist (
                catalog.line_span(rate_card_id, product_id, billing_frequency, dimension_values) WITH &&,
                tstzrange(effective_time, end_time) WITH &&
            ) WHERE (corrects_rate_id IS NULL AND withdraw_time IS NULL)
    """)
    op.execute("DROP TYPE catalog.text_span")
