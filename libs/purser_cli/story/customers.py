# SPDX-License-Identifier: Apache-2.0
"""Which customers a command concerns, and the names that people know things by."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from purser_cli.exits import Failed
from purser_cli.rpc.asking import ask, every
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed

CUSTOMERS_MAX = 100


def customers(line: CommandLine, chosen: str | None) -> list[Any]:
    """Return the chosen customer, or all if there are few. Raises Failed."""
    if chosen:
        return [ask(line, "GetCustomer", customer=chosen).customer]
    found = list(islice(every(line, "ListCustomers"), CUSTOMERS_MAX + 1))
    if len(found) > CUSTOMERS_MAX:
        raise Failed(f"there are more than {CUSTOMERS_MAX} customers; say which: --customer ID|ALIAS")
    return found


def called(customer: Any) -> str:
    """Return how people call a customer: by its first alias."""
    return str(customer.aliases[0] if customer.aliases else customer.customer_id)


def product_names(line: CommandLine) -> Mapping[str, str]:
    """Return the names of the products, by id; none if the Catalog does not answer."""
    try:
        return {one.product_id: one.name for one in every(line, "ListProducts", include_archived=True)}
    except CallFailed:
        return {}
