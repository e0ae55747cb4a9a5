# SPDX-License-Identifier: Apache-2.0
"""Statements about the vendor's one series of document numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.domain.invoice_life import number_text
from services.contract.tables import document_numbers, number_series


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentNumber:
    """A number as printed, and the date that is given with it."""

    text: str
    date: datetime


class StoredNumbers:
    """One row counts. It is locked from the first number to the commit, so a rollback returns its numbers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, document_ids: Sequence[str], *, at: datetime) -> list[DocumentNumber]:
        """Give each document the next number. Their date is `at`, or the last date given if that is later."""
        if not document_ids:
            return []
        count = len(document_ids)
        advanced = upsert(number_series).values(only_row=True, last_sequence=count, last_date=at)
        advanced = advanced.on_conflict_do_update(
            index_elements=[number_series.c.only_row],
            set_={
                "last_sequence": number_series.c.last_sequence + count,
                "last_date": func.greatest(number_series.c.last_date, at),
            },
        )
        columns = (number_series.c.last_sequence, number_series.c.last_date)
        row = (await self._connection.execute(advanced.returning(*columns))).one()
        sequences = range(row.last_sequence - count + 1, row.last_sequence + 1)
        numbers = [DocumentNumber(text=number_text(one), date=row.last_date) for one in sequences]
        await self._connection.execute(
            insert(document_numbers),
            [
                {"sequence": sequence, "number": number.text, "document_id": document_id, "date": number.date}
                for sequence, number, document_id in zip(sequences, numbers, document_ids, strict=True)
            ],
        )
        return numbers
