# SPDX-License-Identifier: Apache-2.0
"""Whether stored figures equal those recomputed from entries and open holds."""

from dataclasses import dataclass

from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A stored figure that differs from the recomputed one. grant_id None: a figure of the pool itself."""

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    grant_id: GrantId | None
    figure: str
    stored_micros: int
    recomputed_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The discrepancies that a recount found, and how many rows it read."""

    discrepancies: tuple[Discrepancy, ...]
    pools: int
    grants: int
    entries: int
    holds: int
