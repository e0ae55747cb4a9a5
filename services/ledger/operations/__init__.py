# SPDX-License-Identifier: Apache-2.0
"""What the Ledger does: open a transaction, load, decide (domain), save."""

from dataclasses import dataclass

from services.ledger.operations.copies import Copying
from services.ledger.operations.credits.grants import Grants
from services.ledger.operations.credits.reporting import Reporting
from services.ledger.operations.gate.caps import SpendCaps
from services.ledger.operations.gate.explaining import Explaining
from services.ledger.operations.gate.gate import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Every rpc of the Ledger, by family."""

    gate: Gate
    explaining: Explaining
    reporting: Reporting
    copying: Copying
    grants: Grants
    caps: SpendCaps
