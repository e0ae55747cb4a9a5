# SPDX-License-Identifier: Apache-2.0
"""The operations of the Ledger: open a transaction, load, decide (domain), save."""

from dataclasses import dataclass

from services.ledger.operations.copies import Copies
from services.ledger.operations.copy_repairs import CopyRepairs
from services.ledger.operations.credits.grants import Grants
from services.ledger.operations.credits.refunds import Refunds
from services.ledger.operations.credits.reports import Reports
from services.ledger.operations.credits.seat_balances import SeatBalances
from services.ledger.operations.gate.cap_groups import CapGroups
from services.ledger.operations.gate.caps import SpendCaps
from services.ledger.operations.gate.concurrency_caps import ConcurrencyCaps
from services.ledger.operations.gate.explanations import Explanations
from services.ledger.operations.gate.gate import Gate
from services.ledger.operations.gate.leases import Leases
from services.ledger.operations.gate.releases import HoldReleases
from services.ledger.operations.gate.shadow import Shadows
from services.ledger.operations.plan_changes import PlanChanges
from services.ledger.operations.seat_voids import SeatVoids
from services.ledger.operations.usage.corrections import Corrections
from services.ledger.operations.usage.imports import Imports
from services.ledger.operations.usage.intake import Intake
from services.ledger.operations.usage.reads import UsageReads
from services.ledger.operations.usage.rerates import Rerates


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operations behind all rpcs of the Ledger, by subject."""

    gate: Gate
    explanations: Explanations
    releases: HoldReleases
    leases: Leases
    reports: Reports
    seat_balances: SeatBalances
    copies: Copies
    copy_repairs: CopyRepairs
    plan_changes: PlanChanges
    seat_voids: SeatVoids
    grants: Grants
    refunds: Refunds
    caps: SpendCaps
    cap_groups: CapGroups
    concurrency_caps: ConcurrencyCaps
    shadows: Shadows
    intake: Intake
    corrections: Corrections
    imports: Imports
    usage: UsageReads
    rerates: Rerates
