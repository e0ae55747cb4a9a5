# SPDX-License-Identifier: Apache-2.0
"""Which rpcs are recorded: all that write, except those whose own rows are the record.

A new rpc is recorded unless its name says that it reads (tests/architecture/test_protos.py checks the names).
"""

from typing import Final

from access.policy import policy_of

READS: Final = ("Get", "List", "Preview", "Verify", "Explain", "WatchEvents")
# The gate's entries and holds, and usage events, carry the caller's subject.
OWN_RECORDS: Final = frozenset({"gate", "usage"})


def is_recorded(rpc: str) -> bool:
    """Whether the calls of an rpc are recorded; rpc: its full name. Raises AccessUndeclared."""
    name = rpc.rpartition("/")[2]
    return not name.startswith(READS) and OWN_RECORDS.isdisjoint(policy_of(rpc).roles)
