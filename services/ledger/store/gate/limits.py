# SPDX-License-Identifier: Apache-2.0
"""Reads what limits the calls of pools: spend caps, caps on overage, concurrency caps, and shadow mode."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate.in_flight import ConcurrencyCap
from services.ledger.domain.gate.spend_cap import GroupValue, SpendCap
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.pools import POOLS
from services.ledger.store.credits.rows import cap_from_row, concurrency_cap_from_row

# One statement for all, because it is needed for every account. Spend caps have two tables: see store/gate/caps.py.
_LIMITS = f"""
    SELECT customer_id, credit_type_id, NULL AS contract_id, c.spend_cap_id, c.group_key, c.group_value,
        c.limit_micros, c.cap_window, c.create_time, 'VENDOR' AS owner, 0::smallint AS window_hours, c.is_shadow,
        NULL AS concurrency_cap_id, NULL AS subject_key, NULL AS subject_value, NULL::integer AS holds_max,
        NULL AS shadow_product_id
    FROM {POOLS} JOIN ledger.spend_caps c USING (customer_id, credit_type_id)
    UNION ALL
    SELECT customer_id, credit_type_id, NULL, c.spend_cap_id, c.group_key, c.group_value,
        c.limit_micros, c.cap_window, c.create_time, c.owner, c.window_hours, c.is_shadow,
        NULL, NULL, NULL, NULL, NULL
    FROM {POOLS} JOIN ledger.caps c USING (customer_id, credit_type_id)
    UNION ALL
    SELECT customer_id, q.credit_type_id, k.contract_id, NULL, NULL, NULL,
        (k.overage_caps ->> q.credit_type_id)::bigint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM {POOLS} JOIN ledger.contracts k USING (customer_id)
    WHERE k.overage_caps ? q.credit_type_id
    UNION ALL
    SELECT customer_id, credit_type_id, NULL, NULL, NULL, NULL, NULL, NULL, c.create_time, NULL, NULL, c.is_shadow,
        c.concurrency_cap_id, c.subject_key, c.subject_value, c.holds_max, NULL
    FROM {POOLS} JOIN ledger.concurrency_caps c USING (customer_id, credit_type_id)
    WHERE c.lift_time IS NULL
    UNION ALL
    SELECT customer_id, q.credit_type_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, m.product_id
    FROM {POOLS} JOIN ledger.shadow_modes m USING (customer_id)
    WHERE m.is_on
"""


@dataclass(slots=True)
class Limits:
    """What limits the calls of a pool. overage_caps: by contract. shadow_products: those in shadow mode."""

    caps: list[SpendCap] = field(default_factory=list)
    overage_caps: dict[str, Credits | None] = field(default_factory=dict)
    concurrency_caps: dict[GroupValue, ConcurrencyCap] = field(default_factory=dict)
    shadow_products: set[ProductId] = field(default_factory=set)


async def read_limits(connection: Connection, keys: Sequence[PoolKey]) -> Mapping[PoolKey, Limits]:
    """Return what limits the calls of pools; of one without limits, an empty one."""
    found: dict[PoolKey, Limits] = defaultdict(Limits)
    rows = await fetch_by_customer(
        connection,
        _LIMITS,
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
    )
    for row in rows:
        limits = found[row["customer_id"], row["credit_type_id"]]
        if row["spend_cap_id"] is not None:
            limits.caps.append(cap_from_row(row))
        elif row["concurrency_cap_id"] is not None:
            cap = concurrency_cap_from_row(row)
            limits.concurrency_caps[cap.subject] = cap
        elif row["shadow_product_id"] is not None:
            limits.shadow_products.add(row["shadow_product_id"])
        else:
            micros = row["limit_micros"]
            limits.overage_caps[row["contract_id"]] = None if micros is None else Credits(micros)
    return found
