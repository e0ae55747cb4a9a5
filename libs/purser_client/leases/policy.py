# SPDX-License-Identifier: Apache-2.0
"""How a gate uses leases."""

from dataclasses import dataclass
from datetime import timedelta

TTL_MIN = timedelta(seconds=1)
TTL_MAX = timedelta(minutes=10)
SETTLE_INTERVAL_MIN = timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePolicy:
    """How a gate uses leases. The defaults suit most processes.

    ttl: how long a lease may be spent after the Ledger's last answer, 1 s to 10 min: so long this process decides calls
    while the Ledger is away, and so late a suspension reaches it then. settle_interval: how often uses are reported
    at least, 10 ms to ttl; a process that dies loses what it has not reported. on_sigterm: report the last uses when
    the process gets SIGTERM, unless the application handles this signal itself.

    Raises ValueError.
    """

    ttl: timedelta = timedelta(seconds=30)
    settle_interval: timedelta = timedelta(seconds=1)
    on_sigterm: bool = True

    def __post_init__(self) -> None:
        if not TTL_MIN <= self.ttl <= TTL_MAX:
            raise ValueError(f"ttl must be 1 s to 10 min, is {self.ttl}")
        if not SETTLE_INTERVAL_MIN <= self.settle_interval <= self.ttl:
            raise ValueError(f"settle_interval must be 10 ms to ttl ({self.ttl}), is {self.settle_interval}")


def policy_of(lease: LeasePolicy | bool) -> LeasePolicy | None:
    """Return what `lease=` of a gate means: True is the default policy, False none."""
    if isinstance(lease, LeasePolicy):
        return lease
    return LeasePolicy() if lease else None
