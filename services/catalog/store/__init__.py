# SPDX-License-Identifier: Apache-2.0
"""All SQL of the Catalog: dataclasses in, dataclasses out; rows never leave this folder."""

from services.catalog.store.transaction import PostgresStore, Transaction

__all__ = ["PostgresStore", "Transaction"]
