# SPDX-License-Identifier: Apache-2.0
"""What a customer can use: the usage products that its contract prices, with what their metrics and prices read."""

from decimal import Decimal
from typing import Any

from meshkit.quantity import MICROS
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.ledger.v1 import ledger_pb2 as ledger
from purser_cli.demo.traffic import Sold
from purser_cli.rpc.asking import ask, every
from purser_cli.rpc.values import decimal_text
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed

# One event of a largest value, or of different values, has no price.
COUNTABLE = (catalog.AGGREGATION_SUM, catalog.AGGREGATION_COUNT)
ANY = "demo"


def sold_to(line: CommandLine, customer: str) -> list[Sold]:
    """Return the products that a customer can use now, the cheapest to use first. Raises Failed."""
    metrics = {
        one.billable_metric_id: one for one in every(line, "ListBillableMetrics", include_archived=True)
    }
    found = []
    for product in every(line, "ListProducts"):
        metric = metrics.get(product.billable_metric_id)
        if metric is None or metric.aggregation not in COUNTABLE:
            continue
        properties = _properties(product, metric)
        price = _price(line, customer, product, properties)
        if price is not None:
            found.append(
                Sold(
                    product_id=product.product_id,
                    name=product.name,
                    event_type=metric.event_type,
                    credits_per_unit=price,
                    quantity_property=metric.aggregated_property or metric.sum_property,
                    properties=properties,
                )
            )
    return sorted(found, key=lambda one: (one.credits_per_unit, one.name))


def _price(
    line: CommandLine, customer: str, product: Any, properties: dict[str, list[str]]
) -> Decimal | None:
    """Return what one measured unit costs, as the gate would price it now; None if no contract prices it."""
    wanted = {key: values[0] for key, values in properties.items()}
    read = {one.property or one.key: wanted[one.property or one.key] for one in product.pricing_dimensions}
    asked = ledger.DecisionAsk(product_id=product.product_id, quantity_micros=1_000 * MICROS, properties=read)
    try:
        decision = ask(line, "GetDecision", customer=customer, ask=asked)
    except CallFailed as failed:
        if failed.reason in ("RATE_NOT_FOUND", "PRODUCT_NOT_FOUND"):
            return None
        raise
    if decision.denial_reason == ledger.DENIAL_REASON_NOT_ENTITLED:
        return None
    return Decimal(decision.credits_micros) / MICROS / 1_000


def _properties(product: Any, metric: Any) -> dict[str, list[str]]:
    """Return values that the metric's filters accept and the product's prices know, by property."""
    found: dict[str, list[str]] = {key: [ANY] for key in metric.group_keys if key != "user_id"}
    for one in product.pricing_dimensions:
        bands = [decimal_text(band.up_to_micros) for band in one.bands if band.HasField("up_to_micros")]
        found[one.property or one.key] = list(one.values) or bands or [ANY]
    for condition in metric.filters:
        accepted = list(condition.in_values) or [ANY]
        known = found.get(condition.property, [])
        found[condition.property] = [value for value in known if value in accepted] or accepted
    return found
