# SPDX-License-Identifier: Apache-2.0
"""The inserts of the guarded write as Citus gets them: plain SQL, so PostgreSQL can check them too."""

import asyncpg
import pytest

from services.ledger.store.credits import writing
from services.ledger.store.credits.writing_on_citus import PartSql, insert_of_values
from tests.support.postgres import Databases

INSERTS = [
    part
    for part in vars(writing).values()
    if isinstance(part, PartSql) and part.sql.lstrip().startswith("INSERT")
]


@pytest.mark.parametrize("part", INSERTS, ids=lambda part: part.name)
async def test_each_row_is_a_parameter_of_its_composite_type(part: PartSql, databases: Databases) -> None:
    slots = 2 if "{slots}" in part.sql else 0
    connection = await asyncpg.connect(databases.url("ledger"))
    try:
        prepared = await connection.prepare(insert_of_values(part, 3, slots))
        types = [one.name for one in prepared.get_parameters()]
    finally:
        await connection.close()

    assert types == ["text", *["int2"] * slots, *[part.row] * 3]


def test_all_parts_that_insert_are_checked() -> None:
    assert {part.name for part in INSERTS} >= {"new_holds", "new_entries", "new_answers", "changed_spends"}
