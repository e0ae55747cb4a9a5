# SPDX-License-Identifier: Apache-2.0
"""Rows, and pages of them."""

from typing import Any, TypeAlias

from sqlalchemy import Column, Row, Select

from meshkit.page import Page

# The type of a statement with enumerated columns; each file's _from_row knows its columns.
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]


def one_page(statement: AnySelect, order: Column[str], page: Page) -> AnySelect:
    """Return the statement for a page's rows and one row more, which shows that there is a next page."""
    behind = statement if page.after is None else statement.where(order > page.after[0])
    return behind.order_by(order).limit(page.size + 1)
