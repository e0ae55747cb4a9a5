# SPDX-License-Identifier: Apache-2.0
"""Rate cards, seat prices and packs in any currency.

Lock: ACCESS EXCLUSIVE on each table for an instant; the new checks are validated while it is used. Size: no row is
touched.
A replica of the previous version reads what this one writes, and refuses to write other currencies than USD.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0008"
down_revision = "0007"

# By table: the name of the check for USD, and what it says now.
CHECKS = {
    "rate_cards": ("rate_cards_fiat_credit_type_id_check", "fiat_credit_type_id ~ '^[A-Z]{3}$'"),
    "credit_conversions": ("credit_conversions_credit_type_id_check", "credit_type_id !~ '^[A-Z]{3}$'"),
    "rates": ("rates_check1", "billing_frequency = 'NONE' OR credit_type_id ~ '^[A-Z]{3}$'"),
    "top_up_packs": ("top_up_packs_price_currency_code_check", "price_currency_code ~ '^[A-Z]{3}$'"),
}


def upgrade() -> None:
    for table, (name, check) in CHECKS.items():
        alter = f"ALTER TABLE catalog.{table}"
        execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
