# SPDX-License-Identifier: Apache-2.0
"""Whether stored figures are what entries and open holds say."""

from dataclasses import dataclass

from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A stored figure that is not what entries and open holds say. grant_id None: of the pool itself."""

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    grant_id: GrantId | None
    figure: str
    stored_micros: int
    recomputed_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a recount found, and how much it read."""

    discrepancies: tuple[Discrepancy, ...]
    pools: int
    grants: int
    entries: int
    holds: int
