# SPDX-License-Identifier: Apache-2.0
"""What a contract has used, for its invoices. Source: services/ledger/README.md, "Usage for invoices"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from meshkit.period import Period
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantKind, ProductId


class UsageDetail(Enum):
    """How finely usage is divided, the finest first. The finest that fits is answered."""

    GROUP_AND_GRANT = "GROUP_AND_GRANT"
    PRODUCT_AND_GRANT = "PRODUCT_AND_GRANT"
    PRODUCT_AND_KIND = "PRODUCT_AND_KIND"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractUsageQuestion:
    """What has a contract used, dated before the end of the usage period that contains period_time?

    covered: left out are entries up to these sequences that are dated before covered_time. after: entries up to these
    were read before. positions_only: asks only where usage dated at or after covered_time begins.
    """

    customer_id: CustomerId
    contract_id: str
    covered: Mapping[CreditTypeId, int]
    covered_time: datetime
    period_time: datetime
    after: Mapping[CreditTypeId, int]
    group_key: str
    rows_max: int
    positions_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """What paid: the grants of one kind, product, source and first instant. Empty and None: any."""

    kind: GrantKind
    product_id: str
    source_id: str
    effective_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractUsageRow:
    """Usage of one product by one group value that one payer paid for, or that none did (payer None).

    Amounts are negative if they take back more than was used. overage: the uncovered part that is billed; shortfall:
    the part that is not.
    """

    credit_type_id: CreditTypeId
    product_id: ProductId
    product_name: str
    group_value: str
    payer: Payer | None
    quantity: Quantity
    credits: Credits
    overage: Credits
    shortfall: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractUsage:
    """The rows in order of credit type, product and group value. positions: up to which entry each pool was read.

    period: the usage period that was asked for; None as long as the customer has had no contract. has_more: whether
    there are more entries.
    """

    period: Period | None
    positions: Mapping[CreditTypeId, int]
    detail: UsageDetail
    rows: Sequence[ContractUsageRow]
    has_more: bool = False
