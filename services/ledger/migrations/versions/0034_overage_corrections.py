# SPDX-License-Identifier: Apache-2.0
"""Entries of what corrected usage costs more, billed as overage.

Why: usage that is amended or rerated can cost more than there are credits. Lock: ACCESS EXCLUSIVE on entries for an
instant. Size: no row is touched; the new checks are NOT VALID: existing rows satisfied stricter ones. The previous
version cannot read such an entry: see version 0032.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0034"
down_revision = "0033"

KIND_KNOWN = """
    kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL', 'UNCHARGED', 'REINSTATEMENT',
        'CORRECTION', 'OVERAGE', 'OVERAGE_CORRECTION')
"""
WITHOUT_GRANT = "('SHORTFALL', 'OVERAGE', 'OVERAGE_CORRECTION', 'UNCHARGED')"
OF_A_GRANT = f"kind = 'CORRECTION' OR (kind IN {WITHOUT_GRANT}) = (grant_id IS NULL)"
SIGNED = f"""
    CASE
        WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
        WHEN kind IN {WITHOUT_GRANT} THEN amount_micros = 0
        WHEN kind = 'REINSTATEMENT' THEN amount_micros > 0
        WHEN kind = 'CORRECTION' AND grant_id IS NULL THEN amount_micros = 0
        WHEN kind = 'CORRECTION' THEN amount_micros <> 0 AND shortfall_micros = 0
        ELSE amount_micros < 0
    END
"""
CHARGED = """
    kind NOT IN ('OVERAGE', 'OVERAGE_CORRECTION') OR (shortfall_micros > 0 AND contract_id IS NOT NULL)
"""
# Repeatable, as execute_with_lock_retries requires.
ENTRIES = f"""
    ALTER TABLE ledger.entries
        DROP CONSTRAINT IF EXISTS entries_kind_known,
        DROP CONSTRAINT IF EXISTS entries_of_a_grant,
        DROP CONSTRAINT IF EXISTS entries_signed,
        DROP CONSTRAINT IF EXISTS entries_overage_charged,
        ADD CONSTRAINT entries_kind_known CHECK ({KIND_KNOWN}) NOT VALID,
        ADD CONSTRAINT entries_of_a_grant CHECK ({OF_A_GRANT}) NOT VALID,
        ADD CONSTRAINT entries_signed CHECK ({SIGNED}) NOT VALID,
        ADD CONSTRAINT entries_overage_charged CHECK ({CHARGED}) NOT VALID
"""


def upgrade() -> None:
    execute_with_lock_retries(ENTRIES)
