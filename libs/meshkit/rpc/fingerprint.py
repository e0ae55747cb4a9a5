# SPDX-License-Identifier: Apache-2.0
"""The hash of a request's body. It tells whether a repeated request_id comes with the body that it came with first."""

import hashlib

from google.protobuf.message import Message


def fingerprint(rpc: str, request: Message) -> bytes:
    """Return the SHA-256 of an rpc's bare name ("Capture", without its service) and the serialized request.

    Field numbers decide it, so neither a renamed field or class nor an rpc that moves to another service changes it.
    Two limits. Map entries are sorted by key, but protobuf does not promise one serialization across its releases:
    the golden files in tests/unit/formats show whether an upgrade keeps it. A field that this revision does not know
    counts too, and may be serialized in another place once it is known: a retry across that deploy is refused.
    """
    return hashlib.sha256(rpc.encode() + request.SerializeToString(deterministic=True)).digest()
