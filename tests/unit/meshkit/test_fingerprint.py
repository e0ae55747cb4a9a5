# SPDX-License-Identifier: Apache-2.0
from hashlib import sha256

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from meshkit.rpc.fingerprint import fingerprint


def test_it_is_the_sha_256_of_the_rpcs_name_and_the_serialized_request() -> None:
    request = StringValue(value="a")

    assert fingerprint("OpenJar", request) == sha256(b"OpenJar\x0a\x01a").digest()


def test_another_body_or_another_rpc_has_another_hash() -> None:
    one, other = StringValue(value="a"), StringValue(value="b")

    assert (
        len({fingerprint("OpenJar", one), fingerprint("OpenJar", other), fingerprint("CloseJar", one)}) == 3
    )


def test_the_order_of_map_entries_does_not_count() -> None:
    one, same = Struct(), Struct()
    one.update({"a": 1, "b": 2})
    same.update({"b": 2, "a": 1})

    assert fingerprint("OpenJar", one) == fingerprint("OpenJar", same)


def test_a_field_that_this_revision_does_not_know_counts() -> None:
    known, unknown = Timestamp(seconds=1), Timestamp(seconds=1)
    unknown.MergeFromString(b"\x78\x01")  # field 15

    assert fingerprint("OpenJar", known) != fingerprint("OpenJar", unknown)


def test_a_field_that_the_caller_does_not_send_does_not_count() -> None:
    assert fingerprint("OpenJar", Timestamp(seconds=1)) == sha256(b"OpenJar\x08\x01").digest()  # no nanos
