# SPDX-License-Identifier: Apache-2.0
"""Rows, and pages of them."""

from typing import Any, TypeAlias

from sqlalchemy import Column, Row, Select

from meshkit.page import Page

# What a statement with enumerated columns gives; each file's _from_row knows which they are.
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]


def one_page(statement: AnySelect, order: Column[str], page: Page) -> AnySelect:
    """Return the statement for a page's rows and one more: that there is one tells that the page has a next."""
    behind = statement if page.after is None else statement.where(order > page.after[0])
    return behind.order_by(order).limit(page.size + 1)
