# SPDX-License-Identifier: Apache-2.0
"""P15's workload: usage events."""

import secrets
from datetime import UTC, datetime

from meshkit.quantity import Quantity, Ratio
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import Change, NewEvent, PoolKey
from services.ledger.domain.gate.decision import Entitlement
from services.ledger.domain.rating.metric import Aggregation, Metric
from services.ledger.domain.rating.price import FlatPrice, Pricing
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.event import EventResult, EventStatus, RecordEvent
from services.ledger.domain.usage.intake import Measured, charge
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store.usage.events import event_to_row
from tests.perf.world import CALL_MICROS, PRODUCT, UNITS_MICROS, USERS, yesterday
from tests.perf.write_path import ENTRY_COLUMNS, Accounts, Made, Workload, entry_rows

EVENT_COLUMNS = (
    *("customer_id", "transaction_id", "body_hash", "event_type", "event_time", "receive_time"),
    *("properties", "status", "result"),
)
_ANCHOR = yesterday()
_METRIC = Metric(
    event_type="ai.assistant",
    aggregation=Aggregation.SUM,
    property="units",
    filters=(),
    group_keys=("user_id",),
)


def _recorded(accounts: Accounts, items: int) -> Made:
    at = datetime.now(UTC)
    after = dict(accounts)
    events = []
    keys = list(accounts)
    for number in range(items):
        key = keys[number % len(keys)]
        event = RecordEvent(
            transaction_id=secrets.token_hex(16),
            fingerprint=secrets.token_bytes(32),
            customer=key[0],
            event_type=_METRIC.event_type,
            timestamp=at,
            properties={"units": "1", "user_id": USERS[number % len(USERS)]},
        )
        charged = charge(after[key], event, _line(key), at=at)
        assert not isinstance(charged, EventResult)
        after[key], line = charged
        result = EventResult(status=EventStatus.ACCEPTED, lines=(line,))
        events.append(NewEvent(key, event, result, at, "reporter"))
    used = list(dict.fromkeys(keys[number % len(keys)] for number in range(items)))
    changes = [Change(accounts[key], after[key]) for key in used]
    rows = [(event.key[0], *event_to_row(event)) for event in events if event.key is not None]
    return Made(changes=changes, events=events, rows=[entry_rows(changes), rows])


def _line(key: PoolKey) -> Measured:
    customer_id, credit_type_id = key
    product_id = ProductId(PRODUCT)
    price = MeteredPrice(
        meter_key=MeterKey("rat_usage", _ANCHOR),
        product_id=product_id,
        rate_id="rat_usage",
        pricing=Pricing(FlatPrice(Ratio(CALL_MICROS, UNITS_MICROS)), None),
    )
    return Measured(
        product=UsageProduct(product_id=product_id, metric=_METRIC),
        entitlement=Entitlement(
            contract_id=f"con_{customer_id.removeprefix('cus_')}",
            anchor=_ANCHOR,
            credit_type_id=credit_type_id,
            price=price,
        ),
        amount=Quantity(UNITS_MICROS),
    )


EVENT_WRITES = Workload(
    tables={"entries": ENTRY_COLUMNS, "usage_events": EVENT_COLUMNS},
    pays_late=True,
    price_of=lambda key: _line(key).entitlement.price,
    make=_recorded,
)
