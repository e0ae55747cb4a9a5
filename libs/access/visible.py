# SPDX-License-Identifier: Apache-2.0
"""Filters a list by what the present caller may see."""

from typing import Any

from sqlalchemy import ColumnElement, Select

from access.caller import current_caller


def only_visible(statement: Select[Any], customer_id: ColumnElement[str]) -> Select[Any]:
    """Return the statement for those of its rows that the present caller may see, by the column of their customer."""
    customer_ids = current_caller().customer_ids
    return statement if customer_ids is None else statement.where(customer_id.in_(sorted(customer_ids)))
