# SPDX-License-Identifier: Apache-2.0
"""What the type check must reject: run by `make types`, which fails when an ignored line below is no error any more.

Every rpc of the gate is read and written by a pair of functions that belong to one command. The right pairs are in
services/ledger/server/gate.py.
"""

from services.ledger.operations.gate.batch import GateRpc
from services.ledger.wire.gate import gate

DEBIT_WRITTEN_AS_AUTHORIZE = GateRpc(read=gate.debit_from_wire, write=gate.authorize_to_wire)  # type: ignore[misc]
CAPTURE_WRITTEN_AS_RELEASE = GateRpc(read=gate.capture_from_wire, write=gate.release_to_wire)  # type: ignore[misc]
EXTEND_WRITTEN_AS_DEBIT = GateRpc(read=gate.extend_hold_from_wire, write=gate.debit_to_wire)  # type: ignore[misc]
