# SPDX-License-Identifier: Apache-2.0
"""An index of the drafts of a contract: seats' lines of 0 wait on one of them for the next lines.

A replica of the previous version leaves a draft of its own for such lines.
Lock: none that blocks: the index is built concurrently, and it is small, because few invoices are drafts.
"""

from meshkit.migrations import build_index

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    build_index(
        "invoices_draft_idx", "contract.invoices (contract_id) WHERE status = 'DRAFT'", schema="contract"
    )
