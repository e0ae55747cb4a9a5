# SPDX-License-Identifier: Apache-2.0
"""The rpcs that a running mesh serves, with the option that says who may call them, read from the descriptors."""

from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import Default

from deploy.local.database import SERVICES
from purser.access.v1 import access_pb2
from tests.support.mesh import SwitchedMesh
from tests.support.reflection import services_of


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method and its option, read apart from the code that enforces it. service: such as "ledger"."""

    service: str
    path: str
    input_type: Descriptor
    is_stream: bool
    roles: frozenset[str]
    peers: frozenset[str]
    is_vendor_wide: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


async def rpcs_of(mesh: SwitchedMesh) -> list[Rpc]:
    """Return every method of ours that a running mesh serves."""
    found = []
    for service in SERVICES:
        async with mesh.channel(service) as channel:
            names = await services_of(channel)
        for name in sorted(name for name in names if name.startswith("purser.")):
            described: ServiceDescriptor = Default().FindServiceByName(name)
            for method in described.methods:
                access = cast(Any, method.GetOptions()).Extensions[access_pb2.access]
                found.append(
                    Rpc(
                        service=service,
                        path=f"/{name}/{method.name}",
                        input_type=method.input_type,
                        is_stream=method.client_streaming,
                        roles=frozenset(
                            access_pb2.Role.Name(role).removeprefix("ROLE_").lower() for role in access.roles
                        ),
                        peers=frozenset(access.peers),
                        is_vendor_wide=access.is_vendor_wide,
                    )
                )
    return found
