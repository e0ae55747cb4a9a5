# SPDX-License-Identifier: Apache-2.0
"""Groups: a named set of values of one group key, such as the users of a department, that share caps.

A value is in one group at most. Source: services/ledger/README.md, "Spend caps".
"""

from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.credits.grant import CustomerId

GROUP_VALUES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CapGroup:
    """A group. size: how many values it has."""

    cap_group_id: str
    name: str
    group_key: str
    create_time: datetime
    size: int


@dataclass(frozen=True, slots=True)
class CustomerCapGroup:
    """A group, and the customer it belongs to."""

    customer_id: CustomerId
    group: CapGroup


@dataclass(frozen=True, slots=True)
class CapGroupRemoval:
    """The response to RemoveCapGroup."""

    cap_group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCapGroup:
    """Make a group (an empty cap_group_id), or give one another name and other values."""

    request_id: str
    fingerprint: bytes
    customer: str
    cap_group_id: str
    name: str
    group_key: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCapGroup:
    """Remove a group."""

    request_id: str
    fingerprint: bytes
    customer: str
    cap_group_id: str
