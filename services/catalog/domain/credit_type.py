# SPDX-License-Identifier: Apache-2.0
"""Credit types: the units of account. Currencies are known from ISO 4217; the vendor creates the others."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

CreditTypeId = NewType("CreditTypeId", str)

# Migration 0001 creates it; other currencies are created with the first rate card in them.
USD: Final = CreditTypeId("USD")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditType:
    """A unit of account, such as "AI credits". Names are unique and case-sensitive."""

    credit_type_id: CreditTypeId
    name: str
    create_time: datetime
