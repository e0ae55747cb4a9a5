# SPDX-License-Identifier: Apache-2.0
"""Which void invoice an invoice was regenerated from.

Why: what comes back is taken off the invoice that charges it now. One that a previous version regenerates gives nothing
back. Lock: ACCESS EXCLUSIVE on invoices, for an instant; the index is built beside the writers.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    execute_with_lock_retries(
        'ALTER TABLE contract.invoices ADD COLUMN IF NOT EXISTS regenerated_from text COLLATE "C"'
    )
    build_index(
        "invoices_regenerated_from_idx",
        "contract.invoices (regenerated_from) WHERE regenerated_from IS NOT NULL",
        schema="contract",
    )
