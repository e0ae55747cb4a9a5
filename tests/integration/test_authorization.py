# SPDX-License-Identifier: Apache-2.0
"""Every method × every kind of caller: exactly those get in whom the option in the proto names.

The request is a message that no rpc can read: whoever gets in is told so (MESSAGE_MALFORMED), whoever does not is
refused before. Nothing is changed, and a new rpc is covered as soon as it is in a proto.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import grpc.aio
import jwt
import pytest
from grpc import StatusCode

from deploy.local.database import SERVICES
from deploy.local.identity import TRUST_DOMAIN, LocalIdentity
from meshkit.clock import SystemClock
from meshkit.rpc.client import open_channel
from meshkit.rpc.tls import Certificate, channel_credentials, server_name
from purser_cli import certificates, tokens
from tests.support.faults import outcome
from tests.support.mesh import SwitchedMesh, secured
from tests.support.postgres import Databases
from tests.support.rpcs import Rpc, rpcs_of

UNREADABLE = b"\xff"
ROLES = ("gate", "usage", "payments", "security", "operator", "viewer")
HOUR = timedelta(hours=1)
AT_ONCE = 16
SECONDS_MAX = 60

Outcome = tuple[StatusCode, str]
ADMITTED: Outcome = (StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED")
NOT_ALLOWED: Outcome = (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
RESTRICTED: Outcome = (StatusCode.PERMISSION_DENIED, "TOKEN_RESTRICTED")
NO_TOKEN: Outcome = (StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
BAD_TOKEN: Outcome = (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
OLD_TOKEN: Outcome = (StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
NO_CONNECTION: Outcome = (StatusCode.UNAVAILABLE, "")


async def called(channel: grpc.aio.Channel, rpc: Rpc, token: str | None) -> Outcome:
    metadata = () if token is None else (("authorization", token),)
    if rpc.is_stream:
        return await outcome(
            channel.stream_unary(rpc.path)(iter([UNREADABLE]), metadata=metadata, timeout=SECONDS_MAX)
        )
    return await outcome(channel.unary_unary(rpc.path)(UNREADABLE, metadata=metadata, timeout=SECONDS_MAX))


def outcome_of_role(rpc: Rpc, role: str, *, is_restricted: bool = False) -> Outcome:
    if role not in rpc.roles:
        return NOT_ALLOWED
    return RESTRICTED if is_restricted and rpc.is_vendor_wide else ADMITTED


class Matrix:
    """Compares outcomes with what was expected, and counts them."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def expect(
        self, who: str, expected: Outcome, channel: grpc.aio.Channel, rpc: Rpc, token: str | None = None
    ) -> None:
        async with self._turns:
            found = await called(channel, rpc, token)
        self.counts[found[1]] += 1
        if found != expected:
            self.wrong.append(f"{who} {rpc.path}: {found}, expected {expected}")


@pytest.fixture
async def mesh(databases: Databases, tmp_path: Path) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases, access=secured(tmp_path)) as running:
        await running.start()
        yield running


def bad_tokens(identity: LocalIdentity, elsewhere: Path) -> Iterator[tuple[str, Outcome, str]]:
    """Yield tokens that would have every role, if they were accepted."""
    now = SystemClock().now()
    folder = identity.files.folder
    claims = {
        "sub": "mallory",
        "roles": [*ROLES],
        "iss": "purser",
        "aud": "purser",
        "exp": int((now + HOUR).timestamp()),
    }
    tokens.create_key(elsewhere, key_id="local-1")  # another key under the known name
    unknown = elsewhere / "unknown"
    tokens.create_key(unknown, key_id="unknown-1")

    def signed(source: Path = folder, **changed: object) -> str:
        key_id, key = tokens.signing_key(source)
        kept = {name: value for name, value in (claims | changed).items() if value is not None}
        return "Bearer " + jwt.encode(kept, key, algorithm="ES256", headers={"kid": key_id})

    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    good = signed()
    head, body, signature = good.removeprefix("Bearer ").split(".")
    public = json.loads((folder / tokens.JWKS_FILE).read_text())["keys"][0]
    yield "alg none", BAD_TOKEN, f"Bearer {part({'alg': 'none', 'kid': 'local-1'})}.{body}."
    yield (
        "alg none, a signature",
        BAD_TOKEN,
        f"Bearer {part({'alg': 'none', 'kid': 'local-1'})}.{body}.{signature}",
    )
    yield (
        "HS256 by the public key",
        BAD_TOKEN,
        "Bearer "
        + jwt.encode(
            claims, public["x"] + public["y"] + "=" * 32, algorithm="HS256", headers={"kid": "local-1"}
        ),
    )
    yield "another key of that name", BAD_TOKEN, signed(elsewhere)
    yield "unknown key", BAD_TOKEN, signed(unknown)
    yield "no kid", BAD_TOKEN, f"Bearer {part({'alg': 'ES256'})}.{body}.{signature}"
    yield "changed claims", BAD_TOKEN, f"Bearer {head}.{part(claims | {'sub': 'alice'})}.{signature}"
    yield "expired", OLD_TOKEN, signed(exp=int((now - HOUR).timestamp()))
    yield "never expires", BAD_TOKEN, signed(exp=None)
    yield "exp is a text", BAD_TOKEN, signed(exp=str(claims["exp"]))
    yield "exp beyond all time", BAD_TOKEN, signed(exp=1e300)
    yield "not yet valid", BAD_TOKEN, signed(nbf=int((now + HOUR).timestamp()))
    yield "issued in the future", BAD_TOKEN, signed(iat=int((now + HOUR).timestamp()))
    yield "another audience", BAD_TOKEN, signed(aud="billing")
    yield "another issuer", BAD_TOKEN, signed(iss="somebody")
    yield "no subject", BAD_TOKEN, signed(sub=None)
    yield "roles are a text", BAD_TOKEN, signed(roles="operator gate viewer")
    yield "restricted to an alias", BAD_TOKEN, signed(customers=["acme"])
    yield "role customer without one", BAD_TOKEN, signed(roles=["customer"])
    yield "a subject too long", BAD_TOKEN, signed(sub="x" * 300)
    yield "no JWT", BAD_TOKEN, "Bearer open sesame"
    yield "empty", BAD_TOKEN, "Bearer "
    yield "another scheme", BAD_TOKEN, "Basic b3BlbjpzZXNhbWU="


async def test_tokens_get_in_where_the_proto_says(mesh: SwitchedMesh, tmp_path: Path) -> None:
    assert mesh.access is not None
    identity = mesh.access.identity
    listed = await rpcs_of(mesh)
    good = {role: "Bearer " + identity.token(role, subject=role) for role in ROLES}
    restricted = {role: "Bearer " + identity.token(role, subject=role, customers=["cus_1"]) for role in ROLES}
    customer = "Bearer " + identity.token("customer", subject="ann", customer="cus_1")
    no_roles = "Bearer " + identity.token("admin", "peer", subject="nobody")
    bad = list(bad_tokens(identity, tmp_path / "elsewhere"))
    matrix = Matrix()

    channels = {service: mesh.channel(service) for service in SERVICES}
    async with asyncio.TaskGroup() as group:

        def expect(who: str, expected: Outcome, rpc: Rpc, token: str | None) -> None:
            group.create_task(matrix.expect(who, expected, channels[rpc.service], rpc, token))

        for rpc in listed:
            expect("nobody", NO_TOKEN, rpc, None)
            expect("no roles", NOT_ALLOWED, rpc, no_roles)
            expect("customer", outcome_of_role(rpc, "customer", is_restricted=True), rpc, customer)
            for role in ROLES:
                expect(role, outcome_of_role(rpc, role), rpc, good[role])
                expect(
                    f"restricted {role}",
                    outcome_of_role(rpc, role, is_restricted=True),
                    rpc,
                    restricted[role],
                )
            for who, expected, token in bad:
                expect(who, expected, rpc, token)
    for channel in channels.values():
        await channel.close()

    assert matrix.wrong == []
    assert matrix.counts.total() == len(listed) * (3 + 2 * len(ROLES) + len(bad))
    assert len(matrix.counts) == 6  # every expected outcome occurred


async def test_services_get_in_by_their_certificates_where_the_proto_says(
    mesh: SwitchedMesh, tmp_path: Path
) -> None:
    assert mesh.access is not None
    identity, at = mesh.access.identity, mesh.access.peer_addresses
    now = SystemClock().now()
    listed = await rpcs_of(mesh)

    def issued(
        folder: str, *, trust_domain: str = TRUST_DOMAIN, valid: timedelta = HOUR, by_us: bool
    ) -> Path:
        target = tmp_path / folder
        target.mkdir()
        if by_us:
            for name in ("ca.pem", "ca-key.pem"):
                (target / name).write_bytes((identity.files.folder / name).read_bytes())
        certificates.issue(
            target,
            trust_domain=trust_domain,
            hosts=(),
            valid=valid,
            now=now,
            services=(*SERVICES, "stranger"),
        )
        return target

    ours = issued("ours", by_us=True)

    def shown(folder: Path, service: str) -> grpc.ChannelCredentials:
        files = certificates.MeshCertificates(folder)
        return channel_credentials(
            Certificate(
                files.chain(service).read_bytes(),
                files.key(service).read_bytes(),
                identity.files.authority.read_bytes(),
            )
        )

    refused = {
        "no certificate": identity.credentials(),
        "another authority": shown(issued("theirs", by_us=False), "contract"),
        "expired": shown(issued("expired", valid=timedelta(minutes=-1), by_us=True), "contract"),
    }
    strangers = {
        "another trust domain": shown(issued("far", trust_domain="purser.example", by_us=True), "contract"),
    }
    matrix = Matrix()
    channels: list[grpc.aio.Channel] = []

    def open_to(service: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        channel = open_channel(at[service], credentials, server_name=server_name(service, TRUST_DOMAIN))
        channels.append(channel)
        return channel

    async with asyncio.TaskGroup() as group:

        def expect(who: str, expected: Outcome, channel: grpc.aio.Channel, rpc: Rpc) -> None:
            group.create_task(matrix.expect(who, expected, channel, rpc))

        for service in SERVICES:
            here = [rpc for rpc in listed if rpc.service == service]
            for caller in (*SERVICES, "stranger"):
                channel = open_to(service, shown(ours, caller))
                for rpc in here:
                    expect(caller, ADMITTED if caller in rpc.peers else NOT_ALLOWED, channel, rpc)
            for who, credentials in strangers.items():
                channel = open_to(service, credentials)
                for rpc in here:
                    expect(who, NO_TOKEN, channel, rpc)
            for who, credentials in refused.items():
                channel = open_to(service, credentials)
                for rpc in here:
                    expect(who, NO_CONNECTION, channel, rpc)
    for channel in channels:
        await channel.close()

    assert matrix.wrong == []
    assert matrix.counts.total() == len(listed) * (len(SERVICES) + 1 + len(strangers) + len(refused))
