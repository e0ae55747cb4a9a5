# SPDX-License-Identifier: Apache-2.0
"""Identifies the caller of every call and checks it against the policy of its rpc: the one place that does."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog
from grpc.aio import ServicerContext

from access.caller import Call, Caller, begin
from access.keys import KeysUnreadable, SigningKeys
from access.policy import ROLES, Policy, policy_of
from access.tokens import TokenInvalid, TokenMissing, TokenVerifier
from meshkit.clock import Clock
from meshkit.config import MeshSettings
from meshkit.periodic import PeriodicTask
from meshkit.rpc.calls import Admit
from meshkit.rpc.tls import peer_service

Context = ServicerContext[Any, Any]

AUTHORIZATION = "authorization"
_BEARER = "bearer "

INSECURE = Caller("insecure", roles=ROLES - {"customer"})

log = structlog.get_logger(__name__)


class TokenSettings(Protocol):
    """Where the keys of tokens are, and which tokens are accepted: of services and of fronts alike."""

    @property
    def jwks(self) -> str: ...
    @property
    def token_issuer(self) -> str: ...
    @property
    def token_audience(self) -> str: ...


@asynccontextmanager
async def open_access(settings: MeshSettings, *, wall: Clock) -> AsyncIterator["AccessControl | OpenAccess"]:
    """Control access as the settings say, until the block ends. Keys of tokens are read again while it runs."""
    if settings.insecure:
        log.warning(
            "access_is_open", hint="PURSER_INSECURE is set: whoever reaches the port may call every rpc"
        )
        yield OpenAccess()
        return
    async with open_tokens(settings, wall=wall) as tokens:
        yield AccessControl(tokens, trust_domain=settings.trust_domain)


@asynccontextmanager
async def open_tokens(settings: TokenSettings, *, wall: Clock) -> AsyncIterator[TokenVerifier]:
    """Verify tokens as the settings say, until the block ends. Their keys are read again while it runs."""
    keys = SigningKeys(settings.jwks)
    try:
        await keys.refresh()
    except KeysUnreadable as error:
        if "://" not in settings.jwks:
            raise  # a file that is missing at the start is a wrong setting; a URL may answer later
        log.warning("token_keys_unreadable", error=error.message)
    refresh = PeriodicTask("token_keys", keys.refresh, keys.every_seconds)
    refresh.start()
    try:
        yield TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience, wall=wall)
    finally:
        await refresh.stop()


class AccessControl:
    """Admits calls by token or by the certificate of a service."""

    def __init__(self, tokens: TokenVerifier, *, trust_domain: str) -> None:
        self._tokens = tokens
        self._trust_domain = trust_domain

    def admission(self, rpc: str) -> Admit:
        """Return the check of one rpc. Raises AccessUndeclared."""
        policy = policy_of(rpc)
        remembered = self._tokens.remembered

        def admit(context: Context) -> Awaitable[None] | None:
            token = _token_of(context)
            if token is None:
                _enter(policy, self._peer_of(context), rpc, context)
                return None
            caller = remembered(token)
            if caller is None:
                return self._verify(policy, token, rpc, context)
            _enter(policy, caller, rpc, context)
            return None

        return admit

    async def _verify(self, policy: Policy, token: str, rpc: str, context: Context) -> None:
        _enter(policy, await self._tokens.verify(token), rpc, context)

    def _peer_of(self, context: Context) -> Caller:
        service = peer_service(context, self._trust_domain)
        if service is None:
            raise TokenMissing
        return Caller(f"service:{service}", service=service)


class OpenAccess:
    """Admits every call, as one caller with all roles of the vendor: for one machine only."""

    def admission(self, rpc: str) -> Admit:
        """Return the check of one rpc, which admits everyone. Raises AccessUndeclared, as in a secure service."""
        policy_of(rpc)

        def admit(context: Context) -> None:
            begin(Call(INSECURE, rpc, context))

        return admit


def _enter(policy: Policy, caller: Caller, rpc: str, context: Context) -> None:
    # The call is known before it is refused, so that a refusal can be recorded with its caller.
    begin(Call(caller, rpc, context))
    policy.check(caller)


def _token_of(context: Context) -> str | None:
    """Return the bearer token of a call, or None if it sends no credentials."""
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION:
            if not isinstance(value, str) or value[: len(_BEARER)].lower() != _BEARER:
                raise TokenInvalid("send the metadata `authorization: Bearer TOKEN`")
            return value[len(_BEARER) :]
    return None
