# SPDX-License-Identifier: Apache-2.0
"""One page of a table whose order is its id's."""

from typing import Any

from sqlalchemy import Column, Select

from meshkit.page import Page


def one_page(statement: Select[Any], order: Column[str], page: Page) -> Select[Any]:
    """Return the statement for a page's rows and one more: that there is one tells that the page has a next."""
    behind = statement if page.after is None else statement.where(order > page.after[0])
    return behind.order_by(order).limit(page.size + 1)
