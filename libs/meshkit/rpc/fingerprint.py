# SPDX-License-Identifier: Apache-2.0
"""The hash of a request's body. It shows whether a repeated request_id has the same body as the first request."""

import hashlib

from google.protobuf.message import Message


def fingerprint(rpc: str, request: Message) -> bytes:
    """Return the SHA-256 of an rpc's bare name ("Capture", without its service) and the serialized request.

    The hash depends on field numbers. Renaming a field or class, or moving an rpc to another service, does not change
    it. There are two limits. Map entries are sorted by key, but protobuf does not guarantee the same serialization
    across its releases: the golden files in tests/unit/formats show whether an upgrade changes it. Fields that this
    revision does not know are hashed too. Once a later revision knows such a field, it may serialize it in another
    position, and a retry across that deploy is refused.
    """
    return hashlib.sha256(rpc.encode() + request.SerializeToString(deterministic=True)).digest()
