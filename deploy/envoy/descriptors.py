# SPDX-License-Identifier: Apache-2.0
"""What Envoy must know of the protos, read from the generated stubs: the rpcs of callers, and all descriptors."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2

import purser

# Rpcs between services have another port, which asks for certificates.
PEERS_ONLY: Final = "PeerService"
# Packages whose rpcs every service serves, each for itself.
SHARED_PACKAGES: Final = ("purser.audit.v1", "purser.outbox.v1", "purser.sandbox.v1", "purser.status.v1")


def caller_services() -> list[ServiceDescriptor]:
    """Return the gRPC services that callers with tokens may use, by full name."""
    found = [service for file in _files() for service in file.services_by_name.values()]
    return sorted(
        (service for service in found if not service.name.endswith(PEERS_ONLY)),
        key=lambda service: str(service.full_name),
    )


def descriptor_set() -> bytes:
    """Return a FileDescriptorSet of all protos and what they import, each after its imports.

    It has google/rpc/error_details.proto too: without it Envoy cannot write an error's details as JSON.
    """
    files: dict[str, FileDescriptor] = {}
    for file in (*_files(), error_details_pb2.DESCRIPTOR):
        _add(file, files)
    described = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(described.file.add())
    return described.SerializeToString(deterministic=True)


def _add(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    if file.name not in files:
        for imported in file.dependencies:
            _add(imported, files)
        files[file.name] = file


def _files() -> Iterator[FileDescriptor]:
    # A namespace package can name its folder twice; a service that is listed twice is not served by Envoy at all.
    for root in sorted({Path(path).resolve() for path in purser.__path__}):
        for stub in sorted(root.rglob("*_pb2.py")):
            name = ".".join(("purser", *stub.relative_to(root).with_suffix("").parts))
            yield importlib.import_module(name).DESCRIPTOR
