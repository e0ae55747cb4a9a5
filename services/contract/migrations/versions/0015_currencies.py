# SPDX-License-Identifier: Apache-2.0
"""Money in any currency.

Lock: ACCESS EXCLUSIVE on each table for an instant; the new checks are validated while it is used. Size: no row is
touched.
A replica of the previous version reads amounts of any currency, but finds no prices in others than USD: such a contract
waits for a replica of this version.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0015"
down_revision = "0014"

COLUMNS = {
    "billed_periods": "currency_code",
    "invoices": "currency_code",
    "invoice_lines": "currency_code",
    "top_ups": "price_currency_code",
}


def upgrade() -> None:
    for table, column in COLUMNS.items():
        alter, name = f"ALTER TABLE contract.{table}", f"{table}_{column}_check"
        execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(
            f"{alter} ADD CONSTRAINT {name} CHECK ({column} ~ '^[A-Z]{{3}}$') NOT VALID"
        )
        execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
