# SPDX-License-Identifier: Apache-2.0
"""The whole schema of Contract.

Why: first revision. Lock: none that anyone could wait for, all tables are new. Size: empty.

Ids are compared byte by byte (COLLATE "C"): they are time-ordered, so lists in id order are lists in the order
of making. A billing period is charged once: the key of billed_periods. What was charged for it is the sum of
its invoice_lines, found by (subscription_id, billing_period_start).
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.requests (
            request_id text PRIMARY KEY,
            operation text NOT NULL,
            body_hash bytea NOT NULL,
            answer jsonb,
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX requests_create_time_idx ON contract.requests (create_time)")
    op.execute("""
        CREATE TABLE contract.outbox (
            customer_id text NOT NULL,
            notice_id text NOT NULL,
            kind text NOT NULL
                CHECK (kind IN ('CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID')),
            payload jsonb NOT NULL,
            create_time timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            lease_time timestamptz,
            due_time timestamptz NOT NULL,
            sent_time timestamptz,
            last_error text,
            PRIMARY KEY (customer_id, notice_id)
        )
    """)
    op.execute("""
        CREATE INDEX outbox_pending_idx ON contract.outbox (customer_id, create_time, notice_id)
        WHERE sent_time IS NULL
    """)
    op.execute("""
        CREATE TABLE contract.sandbox_clock (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            now_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE contract.customers (
            customer_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            is_suspended boolean NOT NULL,
            version bigint NOT NULL CHECK (version >= 1),
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE contract.customer_aliases (
            alias text COLLATE "C" PRIMARY KEY CHECK (length(alias) BETWEEN 1 AND 200 AND alias NOT LIKE 'cus\\_%'),
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            position integer NOT NULL CHECK (position BETWEEN 0 AND 19),
            UNIQUE (customer_id, position)
        )
    """)
    op.execute("""
        CREATE TABLE contract.contracts (
            contract_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            version bigint NOT NULL CHECK (version >= 1),
            name text NOT NULL CHECK (length(name) <= 200),
            rate_card_id text NOT NULL,
            start_time timestamptz NOT NULL,
            end_time timestamptz CHECK (end_time >= start_time),
            next_due_time timestamptz,
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX contracts_customer_idx ON contract.contracts (customer_id, contract_id)")
    op.execute("""
        CREATE INDEX contracts_due_idx ON contract.contracts (next_due_time, contract_id)
        WHERE next_due_time IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE contract.subscriptions (
            subscription_id text COLLATE "C" PRIMARY KEY,
            contract_id text COLLATE "C" NOT NULL REFERENCES contract.contracts,
            position integer NOT NULL CHECK (position BETWEEN 0 AND 19),
            product_id text NOT NULL,
            product_name text NOT NULL,
            billing_frequency text NOT NULL CHECK (billing_frequency IN ('MONTHLY', 'ANNUAL')),
            is_prorated boolean NOT NULL,
            invoicing text NOT NULL CHECK (invoicing IN ('BILL_IMMEDIATELY', 'BILL_ON_NEXT_COLLECTION_DATE')),
            rounding text NOT NULL CHECK (rounding IN ('HALF_UP', 'FLOOR', 'CEILING')),
            initial_quantity bigint NOT NULL CHECK (initial_quantity BETWEEN 0 AND 1000000),
            rates jsonb NOT NULL CHECK (jsonb_typeof(rates) = 'array' AND jsonb_array_length(rates) >= 1),
            periods_billed integer NOT NULL CHECK (periods_billed >= 0),
            billed_from timestamptz,
            changes bigint NOT NULL CHECK (changes >= 0),
            UNIQUE (contract_id, position),
            CHECK ((periods_billed = 0) = (billed_from IS NULL))
        )
    """)
    op.execute("""
        CREATE TABLE contract.grant_schedules (
            grant_schedule_id text COLLATE "C" PRIMARY KEY,
            contract_id text COLLATE "C" NOT NULL REFERENCES contract.contracts,
            position integer NOT NULL CHECK (position BETWEEN 0 AND 19),
            product_id text NOT NULL,
            credit_type_id text NOT NULL CHECK (credit_type_id <> 'USD'),
            unit_amount_micros bigint NOT NULL CHECK (unit_amount_micros > 0),
            subscription_id text COLLATE "C" REFERENCES contract.subscriptions,
            frequency text NOT NULL CHECK (frequency IN ('MONTHLY', 'ANNUAL')),
            anchor_time timestamptz NOT NULL,
            priority integer NOT NULL CHECK (priority BETWEEN 1 AND 1000),
            prorates_increases boolean NOT NULL,
            period_proration text NOT NULL
                CHECK (period_proration IN ('FIRST_AND_LAST', 'FIRST', 'LAST', 'NONE')),
            commit_duration integer NOT NULL CHECK (commit_duration BETWEEN 1 AND 120),
            scope_product_ids text[] NOT NULL CHECK (cardinality(scope_product_ids) <= 50),
            UNIQUE (contract_id, position)
        )
    """)
    op.execute("""
        CREATE TABLE contract.seat_changes (
            seat_change_id text COLLATE "C" PRIMARY KEY,
            subscription_id text COLLATE "C" NOT NULL REFERENCES contract.subscriptions,
            sequence bigint NOT NULL CHECK (sequence >= 1),
            effective_time timestamptz NOT NULL,
            quantity_delta bigint NOT NULL CHECK (quantity_delta BETWEEN -1000000 AND 1000000),
            create_time timestamptz NOT NULL,
            UNIQUE (subscription_id, sequence)
        )
    """)
    op.execute("""
        CREATE INDEX seat_changes_timeline_idx
        ON contract.seat_changes (subscription_id, effective_time, sequence)
    """)
    op.execute("""
        CREATE TABLE contract.billed_periods (
            subscription_id text COLLATE "C" REFERENCES contract.subscriptions,
            period_start timestamptz,
            period_end timestamptz NOT NULL,
            rate_id text NOT NULL,
            currency_code text NOT NULL CHECK (currency_code = 'USD'),
            price_micros bigint NOT NULL CHECK (price_micros >= 0),
            per_micros bigint NOT NULL CHECK (per_micros > 0),
            rate_effective_time timestamptz NOT NULL,
            rate_end_time timestamptz,
            PRIMARY KEY (subscription_id, period_start),
            CHECK (period_start < period_end),
            CHECK (rate_effective_time <= period_start AND (rate_end_time IS NULL OR period_start < rate_end_time))
        )
    """)
    op.execute("""
        CREATE TABLE contract.invoices (
            invoice_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            contract_id text COLLATE "C" NOT NULL REFERENCES contract.contracts,
            status text NOT NULL CHECK (status IN ('DRAFT', 'FINALIZED', 'VOID')),
            currency_code text NOT NULL CHECK (currency_code = 'USD'),
            total_micros bigint NOT NULL CHECK (total_micros >= 0),
            issue_time timestamptz NOT NULL,
            finalize_time timestamptz,
            CHECK ((status = 'FINALIZED') = (finalize_time IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE INDEX invoices_customer_idx ON contract.invoices (customer_id, issue_time, invoice_id)
    """)
    op.execute("""
        CREATE TABLE contract.invoice_lines (
            invoice_line_id text COLLATE "C" PRIMARY KEY,
            invoice_id text COLLATE "C" NOT NULL REFERENCES contract.invoices,
            position integer NOT NULL CHECK (position >= 0),
            kind text NOT NULL CHECK (kind IN ('SUBSCRIPTION', 'SEAT_INCREASE', 'TOP_UP')),
            product_id text NOT NULL,
            description text NOT NULL,
            quantity bigint NOT NULL CHECK (quantity > 0),
            currency_code text NOT NULL CHECK (currency_code = 'USD'),
            unit_price_micros bigint NOT NULL CHECK (unit_price_micros >= 0),
            share_numerator bigint NOT NULL CHECK (share_numerator > 0),
            share_denominator bigint NOT NULL CHECK (share_denominator >= share_numerator),
            exact_micros bigint NOT NULL CHECK (exact_micros >= 0),
            total_micros bigint NOT NULL CHECK (total_micros >= 0 AND total_micros % 10000 = 0),
            subscription_id text COLLATE "C" REFERENCES contract.subscriptions,
            span_start timestamptz,
            span_end timestamptz CHECK (span_end > span_start),
            billing_period_start timestamptz CHECK (billing_period_start <= span_start),
            UNIQUE (invoice_id, position),
            CHECK ((kind = 'TOP_UP') = (subscription_id IS NULL)),
            CHECK ((kind = 'TOP_UP') = (span_start IS NULL)),
            CHECK ((kind = 'TOP_UP') = (span_end IS NULL)),
            CHECK ((kind = 'TOP_UP') = (billing_period_start IS NULL)),
            FOREIGN KEY (subscription_id, billing_period_start) REFERENCES contract.billed_periods
        )
    """)
    op.execute("""
        CREATE INDEX invoice_lines_period_idx
        ON contract.invoice_lines (subscription_id, billing_period_start) WHERE subscription_id IS NOT NULL
    """)
    op.execute("""
        CREATE UNIQUE INDEX invoice_lines_one_subscription_line_idx
        ON contract.invoice_lines (subscription_id, billing_period_start) WHERE kind = 'SUBSCRIPTION'
    """)
    op.execute("""
        CREATE TABLE contract.top_ups (
            top_up_id text COLLATE "C" PRIMARY KEY,
            contract_id text COLLATE "C" NOT NULL REFERENCES contract.contracts,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            top_up_pack_id text,
            product_id text NOT NULL,
            credit_type_id text NOT NULL CHECK (credit_type_id <> 'USD'),
            amount_micros bigint NOT NULL CHECK (amount_micros > 0),
            price_currency_code text NOT NULL CHECK (price_currency_code = 'USD'),
            price_micros bigint NOT NULL CHECK (price_micros >= 0),
            priority integer NOT NULL CHECK (priority BETWEEN 1 AND 1000),
            lifetime interval CHECK (lifetime > interval '0'),
            payment_gate text NOT NULL CHECK (payment_gate IN ('NONE', 'EXTERNAL')),
            status text NOT NULL CHECK (status IN ('PENDING_PAYMENT', 'PAID', 'FAILED')),
            invoice_id text COLLATE "C" NOT NULL UNIQUE REFERENCES contract.invoices,
            payment_reference text NOT NULL,
            create_time timestamptz NOT NULL,
            resolve_time timestamptz,
            CHECK ((status = 'PENDING_PAYMENT') = (resolve_time IS NULL)),
            CHECK (payment_gate = 'EXTERNAL' OR status = 'PAID')
        )
    """)
    op.execute("CREATE INDEX top_ups_contract_idx ON contract.top_ups (contract_id, top_up_id)")
