# SPDX-License-Identifier: Apache-2.0
"""The whole schema of the Catalog, and the one fiat credit type.

Why: first revision. Lock: none that anyone could wait for, all tables are new. Size: empty but for one row.

Ids are compared byte by byte (COLLATE "C"): they are time-ordered, so lists in id order are lists in the
order of making, with "USD" first. `text_span` exists for one constraint, rates_never_overlap: GiST compares
ranges out of the box, but plain texts only with the extension btree_gist, which the service's role may not
install. A text as a range of one value overlaps another exactly when both are equal.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE catalog.requests (
            request_id text PRIMARY KEY,
            operation text NOT NULL,
            body_hash bytea NOT NULL,
            answer jsonb,
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX requests_create_time_idx ON catalog.requests (create_time)")
    op.execute("""
        CREATE TABLE catalog.outbox (
            key text NOT NULL,
            notice_id text NOT NULL,
            kind text NOT NULL CHECK (kind IN ('PRODUCT_CHANGED', 'RATE_CARD_CHANGED')),
            payload jsonb NOT NULL,
            create_time timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            lease_time timestamptz,
            due_time timestamptz NOT NULL,
            sent_time timestamptz,
            last_error text,
            PRIMARY KEY (key, notice_id)
        )
    """)
    op.execute("""
        CREATE INDEX outbox_pending_idx ON catalog.outbox (key, create_time, notice_id)
            WHERE sent_time IS NULL
    """)
    op.execute("""
        CREATE TABLE catalog.sandbox_clock (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            now_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE catalog.credit_types (
            credit_type_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        INSERT INTO catalog.credit_types (credit_type_id, name, create_time)
        VALUES ('USD', 'USD', '2000-01-01 00:00:00+00')
    """)
    op.execute("""
        CREATE TABLE catalog.billable_metrics (
            billable_metric_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            event_type text NOT NULL CHECK (event_type <> ''),
            aggregation text NOT NULL CHECK (aggregation IN ('COUNT', 'SUM')),
            sum_property text CHECK (sum_property <> ''),
            filters jsonb NOT NULL CHECK (jsonb_array_length(filters) <= 20),
            group_keys text[] NOT NULL CHECK (cardinality(group_keys) <= 5),
            create_time timestamptz NOT NULL,
            archive_time timestamptz,
            CHECK ((aggregation = 'SUM') = (sum_property IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE TABLE catalog.products (
            product_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            product_type text NOT NULL CHECK (product_type IN ('SUBSCRIPTION', 'USAGE', 'FIXED')),
            billable_metric_id text COLLATE "C" REFERENCES catalog.billable_metrics,
            version bigint NOT NULL CHECK (version >= 1),
            create_time timestamptz NOT NULL,
            archive_time timestamptz,
            CHECK ((product_type = 'USAGE') = (billable_metric_id IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE TABLE catalog.rate_cards (
            rate_card_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            fiat_credit_type_id text COLLATE "C" NOT NULL REFERENCES catalog.credit_types
                CHECK (fiat_credit_type_id = 'USD'),
            version bigint NOT NULL CHECK (version >= 1),
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE catalog.credit_conversions (
            rate_card_id text COLLATE "C" REFERENCES catalog.rate_cards,
            credit_type_id text COLLATE "C" REFERENCES catalog.credit_types CHECK (credit_type_id <> 'USD'),
            fiat_per_credit_micros bigint NOT NULL CHECK (fiat_per_credit_micros > 0),
            PRIMARY KEY (rate_card_id, credit_type_id)
        )
    """)
    op.execute("""CREATE TYPE catalog.text_span AS RANGE (subtype = text, collation = "C")""")
    op.execute("""
        CREATE TABLE catalog.rates (
            rate_id text COLLATE "C" PRIMARY KEY,
            rate_card_id text COLLATE "C" NOT NULL REFERENCES catalog.rate_cards,
            product_id text COLLATE "C" NOT NULL REFERENCES catalog.products,
            billing_frequency text COLLATE "C" NOT NULL
                CHECK (billing_frequency IN ('NONE', 'MONTHLY', 'ANNUAL')),
            credit_type_id text COLLATE "C" NOT NULL REFERENCES catalog.credit_types,
            price_micros bigint NOT NULL CHECK (price_micros >= 0),
            per_micros bigint NOT NULL CHECK (per_micros > 0),
            effective_time timestamptz NOT NULL,
            end_time timestamptz CHECK (end_time > effective_time),
            CHECK (billing_frequency = 'NONE' OR credit_type_id = 'USD'),
            UNIQUE (rate_card_id, product_id, billing_frequency, effective_time),
            CONSTRAINT rates_never_overlap EXCLUDE USING gist (
                catalog.text_span(rate_card_id, rate_card_id, '[]') WITH &&,
                catalog.text_span(product_id, product_id, '[]') WITH &&,
                catalog.text_span(billing_frequency, billing_frequency, '[]') WITH &&,
                tstzrange(effective_time, end_time) WITH &&
            )
        )
    """)
    op.execute("""
        CREATE TABLE catalog.top_up_packs (
            top_up_pack_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            product_id text COLLATE "C" NOT NULL REFERENCES catalog.products,
            credit_type_id text COLLATE "C" NOT NULL REFERENCES catalog.credit_types
                CHECK (credit_type_id <> 'USD'),
            amount_micros bigint NOT NULL CHECK (amount_micros > 0),
            price_currency_code text NOT NULL CHECK (price_currency_code = 'USD'),
            price_micros bigint NOT NULL CHECK (price_micros >= 0),
            priority integer NOT NULL CHECK (priority BETWEEN 1 AND 1000),
            lifetime interval CHECK (lifetime > interval '0'),
            create_time timestamptz NOT NULL
        )
    """)
