# SPDX-License-Identifier: Apache-2.0
"""A statement about many customers, narrowed to one of them for Citus."""

import pytest

from services.ledger.store.citus import narrowed


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(
            "SELECT 1 FROM unnest($1::text[]) AS q (customer_id) JOIN ledger.holds h USING (customer_id)",
            "SELECT 1 FROM unnest($1::text[]) AS q (customer_id)"
            " JOIN (SELECT * FROM ledger.holds WHERE customer_id = $2) AS h USING (customer_id)",
            id="a table that is joined, under its alias",
        ),
        pytest.param(
            "SELECT count(*) FROM ledger.pools WHERE true",
            "SELECT count(*) FROM (SELECT * FROM ledger.pools WHERE customer_id = $2) AS pools WHERE true",
            id="a table without an alias, under its name",
        ),
        pytest.param(
            "SELECT 1 FROM ledger.entries AS e LEFT JOIN ledger.products p USING (product_id)",
            "SELECT 1 FROM (SELECT * FROM ledger.entries WHERE customer_id = $2) AS e"
            " LEFT JOIN ledger.products p USING (product_id)",
            id="not a table that all customers share",
        ),
        pytest.param(
            "DELETE FROM ledger.holds h USING q WHERE h.hold_id = q.hold_id",
            "DELETE FROM ledger.holds h USING q WHERE h.hold_id = q.hold_id AND h.customer_id = $2 ",
            id="rows that are deleted",
        ),
        pytest.param(
            "UPDATE ledger.pools p SET version = 2 FROM q WHERE p.version = q.version RETURNING p.customer_id",
            "UPDATE ledger.pools p SET version = 2 FROM q WHERE p.version = q.version"
            " AND p.customer_id = $2 RETURNING p.customer_id",
            id="rows that are changed and returned",
        ),
        pytest.param(
            "INSERT INTO ledger.holds (customer_id) SELECT d.customer_id FROM d",
            "INSERT INTO ledger.holds (customer_id) SELECT d.customer_id FROM d",
            id="not a table that rows are inserted into",
        ),
    ],
)
def test_every_table_of_customers_is_narrowed_to_the_one(statement: str, expected: str) -> None:
    assert narrowed(statement, "$2") == expected
