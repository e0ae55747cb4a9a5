# SPDX-License-Identifier: Apache-2.0
"""The whole schema of the Ledger.

Why: first revision. Lock: none that anyone could wait for, all tables are new. Size: empty.

Every key of a customer's rows leads with customer_id, so that the schema can be spread over many databases by it.
Copies of the Catalog (products, rate_cards, rates), the alert rules (watches) and the routing of aliases are small
and the same everywhere. No sequences: ids come from the service, order inside a pool from its own counter. Ids are
compared byte by byte (COLLATE "C"): they are time-ordered, so lists in id order are lists in the order of making.
The checks repeat what the domain asserts: every amount of a grant is at least 0, and so is what is left of it.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in (*PLUMBING, *COPIES, *CONTRACTS, *MONEY, *CAPS_AND_WATCHES):
        op.execute(statement)


PLUMBING = (
    """
    CREATE TABLE ledger.requests (
        customer_id text COLLATE "C" NOT NULL,
        request_id text COLLATE "C" NOT NULL,
        body_hash bytea NOT NULL,
        answer jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        PRIMARY KEY (customer_id, request_id)
    )
    """,
    """
    CREATE TABLE ledger.outbox (
        customer_id text COLLATE "C" NOT NULL,
        notice_id text COLLATE "C" NOT NULL,
        kind text NOT NULL CHECK (kind IN ('CROSSING')),
        payload jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        lease_time timestamptz,
        due_time timestamptz NOT NULL,
        sent_time timestamptz,
        last_error text,
        PRIMARY KEY (customer_id, notice_id)
    )
    """,
    """
    CREATE INDEX outbox_pending_idx ON ledger.outbox (customer_id, create_time, notice_id)
        WHERE sent_time IS NULL
    """,
    """
    CREATE TABLE ledger.sandbox_clock (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        now_time timestamptz NOT NULL
    )
    """,
)

COPIES = (
    """
    CREATE TABLE ledger.products (
        product_id text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL CHECK (version >= 1),
        name text NOT NULL,
        billable_metric_id text NOT NULL,
        event_type text NOT NULL,
        aggregation text NOT NULL CHECK (aggregation IN ('COUNT', 'SUM')),
        sum_property text,
        filters jsonb NOT NULL,
        group_keys text[] NOT NULL,
        CHECK ((aggregation = 'SUM') = (sum_property IS NOT NULL))
    )
    """,
    """
    CREATE TABLE ledger.rate_cards (
        rate_card_id text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL CHECK (version >= 1)
    )
    """,
    """
    CREATE TABLE ledger.rates (
        rate_card_id text COLLATE "C" NOT NULL REFERENCES ledger.rate_cards,
        product_id text COLLATE "C" NOT NULL,
        effective_time timestamptz NOT NULL,
        end_time timestamptz CHECK (end_time > effective_time),
        rate_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        price_micros bigint NOT NULL CHECK (price_micros >= 0),
        per_micros bigint NOT NULL CHECK (per_micros > 0),
        PRIMARY KEY (rate_card_id, product_id, effective_time)
    )
    """,
)

CONTRACTS = (
    """
    CREATE TABLE ledger.customers (
        customer_id text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL CHECK (version >= 1),
        is_suspended boolean NOT NULL
    )
    """,
    """
    CREATE TABLE ledger.customer_aliases (
        alias text COLLATE "C" PRIMARY KEY,
        customer_id text COLLATE "C" NOT NULL
    )
    """,
    "CREATE INDEX customer_aliases_customer_idx ON ledger.customer_aliases (customer_id)",
    """
    CREATE TABLE ledger.contracts (
        customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
        contract_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        rate_card_id text COLLATE "C" NOT NULL,
        start_time timestamptz NOT NULL,
        end_time timestamptz,
        PRIMARY KEY (customer_id, contract_id)
    )
    """,
    """
    CREATE TABLE ledger.subscriptions (
        customer_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C" NOT NULL,
        contract_id text COLLATE "C" NOT NULL,
        initial_quantity bigint NOT NULL CHECK (initial_quantity >= 0),
        PRIMARY KEY (customer_id, subscription_id),
        FOREIGN KEY (customer_id, contract_id) REFERENCES ledger.contracts
    )
    """,
    """
    CREATE TABLE ledger.seat_changes (
        customer_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C" NOT NULL,
        seat_change_id text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL CHECK (sequence >= 1),
        effective_time timestamptz NOT NULL,
        quantity_delta bigint NOT NULL CHECK (quantity_delta <> 0),
        PRIMARY KEY (customer_id, subscription_id, seat_change_id),
        UNIQUE (customer_id, subscription_id, sequence),
        FOREIGN KEY (customer_id, subscription_id) REFERENCES ledger.subscriptions
    )
    """,
    """
    CREATE TABLE ledger.grant_schedules (
        customer_id text COLLATE "C" NOT NULL,
        schedule_id text COLLATE "C" NOT NULL,
        contract_id text COLLATE "C" NOT NULL,
        subscription_id text COLLATE "C",
        product_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        unit_amount_micros bigint NOT NULL CHECK (unit_amount_micros > 0),
        frequency text NOT NULL CHECK (frequency IN ('MONTHLY', 'ANNUAL')),
        anchor_time timestamptz NOT NULL,
        priority integer NOT NULL CHECK (priority >= 1),
        prorates_increases boolean NOT NULL,
        period_proration text NOT NULL CHECK (period_proration IN ('FIRST_AND_LAST', 'FIRST', 'LAST', 'NONE')),
        commit_duration integer NOT NULL CHECK (commit_duration >= 1),
        scope_product_ids text[] NOT NULL,
        next_index integer NOT NULL,
        latest_grant_id text COLLATE "C",
        PRIMARY KEY (customer_id, schedule_id),
        FOREIGN KEY (customer_id, contract_id) REFERENCES ledger.contracts,
        FOREIGN KEY (customer_id, subscription_id) REFERENCES ledger.subscriptions
    )
    """,
)

MONEY = (
    """
    CREATE TABLE ledger.pools (
        customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
        credit_type_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        sequence bigint NOT NULL CHECK (sequence >= 0),
        shortfall_micros bigint NOT NULL CHECK (shortfall_micros >= 0),
        next_due_time timestamptz,
        settled_time timestamptz,
        PRIMARY KEY (customer_id, credit_type_id)
    )
    """,
    # The sweeper's question has no customer: what is due anywhere. It is asked of each database by itself.
    "CREATE INDEX pools_due_idx ON ledger.pools (next_due_time) WHERE next_due_time IS NOT NULL",
    """
    CREATE TABLE ledger.grants (
        customer_id text COLLATE "C" NOT NULL,
        grant_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        kind text NOT NULL CHECK (kind IN ('INCLUDED', 'TOP_UP', 'PROMOTIONAL')),
        product_id text COLLATE "C",
        priority integer NOT NULL CHECK (priority >= 1),
        effective_time timestamptz NOT NULL,
        expire_time timestamptz CHECK (expire_time > effective_time),
        create_time timestamptz NOT NULL,
        granted_micros bigint NOT NULL CHECK (granted_micros >= 0),
        captured_micros bigint NOT NULL CHECK (captured_micros >= 0),
        held_micros bigint NOT NULL CHECK (held_micros >= 0),
        expired_micros bigint NOT NULL CHECK (expired_micros >= 0),
        voided_micros bigint NOT NULL CHECK (voided_micros >= 0),
        cost_basis_micros bigint NOT NULL CHECK (cost_basis_micros >= 0),
        scope_product_ids text[] NOT NULL,
        schedule_id text COLLATE "C",
        period_start timestamptz,
        source_id text COLLATE "C",
        is_closed boolean NOT NULL,
        PRIMARY KEY (customer_id, grant_id),
        UNIQUE (customer_id, schedule_id, period_start),
        UNIQUE (customer_id, source_id),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools,
        CHECK (captured_micros + held_micros + expired_micros + voided_micros <= granted_micros)
    )
    """,
    """
    CREATE INDEX grants_open_idx ON ledger.grants (customer_id, credit_type_id)
        WHERE NOT is_closed OR held_micros > 0
    """,
    """
    CREATE TABLE ledger.holds (
        customer_id text COLLATE "C" NOT NULL,
        hold_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        product_id text COLLATE "C" NOT NULL,
        contract_id text COLLATE "C" NOT NULL,
        anchor_time timestamptz NOT NULL,
        price_micros bigint NOT NULL,
        per_micros bigint NOT NULL,
        group_values jsonb NOT NULL,
        counted_group_values jsonb NOT NULL,
        state text NOT NULL CHECK (state IN ('HELD', 'CAPTURED', 'RELEASED', 'EXPIRED')),
        draw_grant_ids text[] NOT NULL,
        draw_micros bigint[] NOT NULL,
        captured_micros bigint NOT NULL CHECK (captured_micros >= 0),
        create_time timestamptz NOT NULL,
        expire_time timestamptz NOT NULL CHECK (expire_time > create_time),
        PRIMARY KEY (customer_id, hold_id),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools,
        CHECK (cardinality(draw_grant_ids) = cardinality(draw_micros))
    )
    """,
    """
    CREATE INDEX holds_held_idx ON ledger.holds (customer_id, credit_type_id, expire_time)
        WHERE state = 'HELD'
    """,
    """
    CREATE TABLE ledger.entries (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL CHECK (sequence >= 1),
        kind text NOT NULL CHECK (
            kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL')
        ),
        grant_id text COLLATE "C",
        amount_micros bigint NOT NULL,
        shortfall_micros bigint NOT NULL CHECK (shortfall_micros >= 0),
        effective_time timestamptz NOT NULL,
        create_time timestamptz NOT NULL,
        cause_id text NOT NULL,
        hold_id text COLLATE "C",
        product_id text COLLATE "C",
        group_values jsonb,
        PRIMARY KEY (customer_id, credit_type_id, sequence),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools,
        CHECK ((kind = 'SHORTFALL') = (grant_id IS NULL)),
        CHECK (CASE
            WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
            WHEN kind = 'SHORTFALL' THEN amount_micros = 0
            ELSE amount_micros < 0
        END)
    )
    """,
    "CREATE INDEX entries_grant_idx ON ledger.entries (customer_id, grant_id, sequence)",
    """
    CREATE INDEX entries_usage_idx ON ledger.entries (customer_id, effective_time)
        WHERE product_id IS NOT NULL
    """,
)

CAPS_AND_WATCHES = (
    """
    CREATE TABLE ledger.spend_caps (
        customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
        credit_type_id text COLLATE "C" NOT NULL,
        group_key text COLLATE "C" NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        spend_cap_id text COLLATE "C" NOT NULL,
        limit_micros bigint NOT NULL CHECK (limit_micros >= 0),
        cap_window text NOT NULL CHECK (cap_window IN ('BILLING_PERIOD', 'DAY')),
        create_time timestamptz NOT NULL,
        PRIMARY KEY (customer_id, credit_type_id, group_key, group_value),
        UNIQUE (customer_id, spend_cap_id)
    )
    """,
    """
    CREATE TABLE ledger.spends (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        group_key text COLLATE "C" NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        held_micros bigint NOT NULL CHECK (held_micros >= 0),
        period_start timestamptz,
        period_spent_micros bigint NOT NULL CHECK (period_spent_micros >= 0),
        day_start timestamptz,
        day_spent_micros bigint NOT NULL CHECK (day_spent_micros >= 0),
        PRIMARY KEY (customer_id, credit_type_id, group_key, group_value),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools
    )
    """,
    """
    CREATE TABLE ledger.watches (
        alert_id text COLLATE "C" PRIMARY KEY,
        version bigint NOT NULL CHECK (version >= 1),
        is_active boolean NOT NULL,
        kind text NOT NULL CHECK (kind IN ('LOW_BALANCE', 'SPEND')),
        customer_id text COLLATE "C",
        credit_type_id text COLLATE "C" NOT NULL,
        threshold_micros bigint NOT NULL CHECK (threshold_micros >= 0),
        group_key text NOT NULL,
        group_value text NOT NULL
    )
    """,
    "CREATE INDEX watches_active_idx ON ledger.watches (credit_type_id, customer_id) WHERE is_active",
    """
    CREATE TABLE ledger.watch_states (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        alert_id text COLLATE "C" NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        in_alarm boolean NOT NULL,
        sequence bigint NOT NULL CHECK (sequence >= 1),
        version bigint NOT NULL CHECK (version >= 1),
        PRIMARY KEY (customer_id, credit_type_id, alert_id, group_value),
        FOREIGN KEY (customer_id, credit_type_id) REFERENCES ledger.pools
    )
    """,
)
