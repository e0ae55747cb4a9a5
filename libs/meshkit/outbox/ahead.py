# SPDX-License-Identifier: Apache-2.0
"""Makes it visible that a peer's copy is ahead of its owner, and so ignores what the owner sends."""

import structlog

log = structlog.get_logger(__name__)


def warn_if_ahead(peer: str, kind: str, key: str, *, sent: int, known: int) -> None:
    """Log `copy_ahead` if a peer answers a notice with a higher version than was sent.

    That is normal only for a dead letter that is retried after later notices. Otherwise somebody else has told the peer
    that version: services/README.md, "Numbers of notices". kind, key: of what is copied.
    """
    if known > sent:
        log.warning("copy_ahead", peer=peer, kind=kind, key=key, sent=sent, known=known)
