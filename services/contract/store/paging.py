# SPDX-License-Identifier: Apache-2.0
"""One page of a table that is listed in the order of its id."""

from typing import Any

from sqlalchemy import Column, Select

from meshkit.page import Page


def one_page(statement: Select[Any], order: Column[str], page: Page) -> Select[Any]:
    """Return the statement for a page's rows and one row more, which shows that there is a next page."""
    if page.after is not None:
        after = page.after[0]
        statement = statement.where(order < after if page.newest_first else order > after)
    return statement.order_by(order.desc() if page.newest_first else order).limit(page.size + 1)
