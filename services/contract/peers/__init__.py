# SPDX-License-Identifier: Apache-2.0
"""The peers of Contract, called through generated stubs."""

from services.contract.peers.alert import AlertPeer
from services.contract.peers.catalog import CatalogPeer
from services.contract.peers.ledger import LedgerPeer

__all__ = ["AlertPeer", "CatalogPeer", "LedgerPeer"]
