# SPDX-License-Identifier: Apache-2.0
"""Who may call an rpc, as its option in the proto says (protos/purser/access/v1/access.proto)."""

from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default

from access.caller import Caller, TokenRestricted
from meshkit.errors import PermissionDenied
from purser.access.v1 import access_pb2

_ROLE_PREFIX = "ROLE_"


class AccessUndeclared(RuntimeError):
    """An rpc has no access option, so the service does not start."""


class AccessDenied(PermissionDenied):
    """The caller has none of the roles that the rpc takes, or is not one of the services that may call it."""

    reason = "ACCESS_DENIED"

    def __init__(self, *, rpc: str, takes: str) -> None:
        super().__init__(f"{rpc} takes {takes}", rpc=rpc)


@dataclass(frozen=True, slots=True)
class Policy:
    """The access option of one rpc. rpc: its full name. roles: in lower case. peers: names of services."""

    rpc: str
    roles: frozenset[str]
    peers: frozenset[str]
    is_vendor_wide: bool

    def check(self, caller: Caller) -> None:
        """Raise AccessDenied or TokenRestricted if the caller may not call the rpc."""
        if caller.service:
            if caller.service not in self.peers:
                raise AccessDenied(rpc=self.rpc, takes=self._takes())
            return
        if self.roles.isdisjoint(caller.roles):
            raise AccessDenied(rpc=self.rpc, takes=self._takes())
        if self.is_vendor_wide and caller.customer_ids is not None:
            raise TokenRestricted(rpc=self.rpc)

    def _takes(self) -> str:
        takes = []
        if self.roles:
            takes.append(f"a token with one of the roles {', '.join(sorted(self.roles))}")
        if self.peers:
            takes.append(f"the certificate of one of the services {', '.join(sorted(self.peers))}")
        return " or ".join(takes)


def policy_of(rpc: str) -> Policy:
    """Return the policy of an rpc, "/package.Service/Method". Raises AccessUndeclared if its proto states none."""
    service, _, name = rpc.strip("/").rpartition("/")
    try:
        method: MethodDescriptor = Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        raise AccessUndeclared(f"{rpc} is in no proto of this process") from None
    # The stubs of protobuf do not know that an extension's descriptor is also its key.
    options = cast(Any, method.GetOptions())
    if not options.HasExtension(access_pb2.access):
        raise AccessUndeclared(f"{rpc} has no option (purser.access.v1.access): say there who may call it")
    option: access_pb2.Access = options.Extensions[access_pb2.access]
    roles = frozenset(name_of(role) for role in option.roles)
    peers = frozenset(option.peers)
    if not roles and not peers:
        raise AccessUndeclared(f"{rpc} names neither roles nor peers, so nobody could call it")
    return Policy(rpc=rpc, roles=roles, peers=peers, is_vendor_wide=option.is_vendor_wide)


def name_of(role: int) -> str:
    """Return a role as tokens name it, such as "gate"."""
    return access_pb2.Role.Name(role).removeprefix(_ROLE_PREFIX).lower()


# What the claim `roles` of a token may contain; other names in it are ignored.
ROLES = frozenset(name_of(role) for role in access_pb2.Role.values() if role)
