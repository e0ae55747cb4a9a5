# SPDX-License-Identifier: Apache-2.0
"""All SQL of Contract: dataclasses in, dataclasses out; rows never leave this folder."""

from services.contract.store.transaction import PostgresStore, Transaction

__all__ = ["PostgresStore", "Transaction"]
