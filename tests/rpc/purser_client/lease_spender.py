# SPDX-License-Identifier: Apache-2.0
"""A process that spends from a lease, then ends in a certain way: `python lease_spender.py ADDRESS ENDING [SPOOL]`.

It prints how many credits × 10 it has spent before it ends: killed, waiting for a signal, or without closing its gate.
"""

import os
import signal
import sys
from datetime import timedelta

from purser_client import FailClosed, FileSpool, LeasePolicy, SyncGate

LEASED_CALLS = 20


def main(address: str, ending: str, spool: str = "") -> None:
    gate = SyncGate(
        address,
        deadline=timedelta(seconds=20),
        # It reports nothing by itself: all that it spends from the lease is unreported when it ends.
        lease=LeasePolicy(settle_interval=timedelta(seconds=30)),
        unreachable=FailClosed(spool=FileSpool(spool) if spool else None),
    )
    if ending == "handled":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    gate.open()
    debits = leased = 0
    while leased < LEASED_CALLS:
        debits += 1
        leased += gate.debit(customer="acme", product="prd_assistant", credits="0.1").is_leased
    sys.stdout.write(f"{debits}\n")
    sys.stdout.flush()
    if ending == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    while ending in ("terminated", "handled"):
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
