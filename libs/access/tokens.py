# SPDX-License-Identifier: Apache-2.0
"""Verifies bearer tokens: JWTs (RFC 7519) signed by ES256 or EdDSA.

A verified token is remembered by its text until it expires or the keys change, because a verification takes 125 µs of
CPU and the look 0.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from access.caller import Caller
from access.keys import ALGORITHMS, SigningKeys
from access.policy import ROLES
from meshkit.clock import Clock
from meshkit.errors import Unauthenticated, Unavailable

TOKEN_CHARACTERS_MAX = 8_192
SUBJECT_CHARACTERS_MAX = 256
CUSTOMERS_MAX = 1_000
REMEMBERED_MAX = 10_000
# How far the clocks of the issuer and of this service may differ.
LEEWAY_SECONDS = 10
_CUSTOMER_PREFIX: Final = "cus_"
_REQUIRED: Final = ("exp", "sub", "aud", "iss")


class TokenMissing(Unauthenticated):
    """The call has no credentials."""

    reason = "TOKEN_MISSING"

    def __init__(self) -> None:
        super().__init__("this call has no identity; send the metadata `authorization: Bearer TOKEN`")


class TokenInvalid(Unauthenticated):
    """The token is not accepted."""

    reason = "TOKEN_INVALID"

    def __init__(self, cause: str) -> None:
        super().__init__(f"the token is not accepted: {cause}")


class TokenExpired(Unauthenticated):
    """The token was valid; get a new one."""

    reason = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the token has expired; get a new one")


class TokenKeysUnavailable(Unavailable):
    """The service has not yet got the keys that tokens are verified with."""

    reason = "TOKEN_KEYS_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the keys that tokens are verified with are unavailable; retry")


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token whose signature is right. claims: as signed, of which only `caller`'s are checked further."""

    caller: Caller
    expire_time: datetime
    claims: Mapping[str, Any]


class TokenVerifier:
    """Verifies tokens of one issuer for one audience. wall: the clock that expiry is compared with."""

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, wall: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._wall = wall
        self._verified: dict[str, tuple[Caller, float]] = {}
        keys.changed = self._verified.clear

    def remembered(self, token: str) -> Caller | None:
        """Return the caller of a token that was verified before and is valid still."""
        known = self._verified.get(token)
        if known is None:
            return None
        caller, expire_seconds = known
        if self._wall.now().timestamp() >= expire_seconds:
            del self._verified[token]
            return None
        return caller

    async def verify(self, token: str) -> Caller:
        """Return the caller. Raises TokenInvalid, TokenExpired, TokenKeysUnavailable."""
        return (await self.examine(token)).caller

    async def examine(self, token: str) -> VerifiedToken:
        """Return everything that the token says. Raises TokenInvalid, TokenExpired, TokenKeysUnavailable."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenInvalid(f"it has more than {TOKEN_CHARACTERS_MAX} characters")
        key = await self._key_of(token)
        claims = self._claims_of(token, key)
        now = self._wall.now().timestamp()
        expire_seconds = _number(claims, "exp")
        _check_time(claims, "nbf", now)
        _check_time(claims, "iat", now)
        if now >= expire_seconds + LEEWAY_SECONDS:
            raise TokenExpired
        caller = _caller_of(claims)
        while len(self._verified) >= REMEMBERED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = caller, expire_seconds + LEEWAY_SECONDS
        return VerifiedToken(caller, datetime.fromtimestamp(expire_seconds, UTC), claims)

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise TokenInvalid("it is no JWT") from None
        if not isinstance(key_id, str):
            raise TokenInvalid("its header names no key (kid)")
        key = self._keys.find(key_id)
        if key is None:
            await self._keys.refresh_for_unknown()
            key = self._keys.find(key_id)
        if key is None and self._keys.is_empty:
            raise TokenKeysUnavailable
        if key is None:
            raise TokenInvalid("its key is unknown")
        return key

    def _claims_of(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            # Times are checked by the caller of this function, by the injected clock and with bounds that jwt lacks.
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": list(_REQUIRED),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError:
            raise TokenInvalid("it is for another audience") from None
        except jwt.InvalidIssuerError:
            raise TokenInvalid("it is of another issuer") from None
        except jwt.MissingRequiredClaimError as error:
            raise TokenInvalid(f"it lacks the claim {error.claim}") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            # Texts of the library may show parts of keys and of tokens.
            raise TokenInvalid("its signature or its form is wrong") from None
        return claims


def _number(claims: Mapping[str, Any], name: str) -> float:
    """Return a NumericDate. Infinities, and years beyond 9999, are refused."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 253_402_300_800:
        raise TokenInvalid(f"the claim {name} is no time")
    return float(value)


def _check_time(claims: Mapping[str, Any], name: str, now: float) -> None:
    if name in claims and _number(claims, name) > now + LEEWAY_SECONDS:
        raise TokenInvalid("it is not valid yet")


def _caller_of(claims: Mapping[str, Any]) -> Caller:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX:
        raise TokenInvalid(f"the claim sub must have 1 to {SUBJECT_CHARACTERS_MAX} characters")
    if "\0" in subject or not subject.isprintable():
        raise TokenInvalid("the claim sub has characters that cannot be printed")
    roles = ROLES.intersection(_texts(claims, "roles") or ())
    customer_ids = _texts(claims, "customers")
    if "customer" in roles or "customer" in claims:
        # The role is for one customer: it takes nothing else from the claim `customers`.
        one = claims.get("customer")
        if not isinstance(one, str):
            raise TokenInvalid("the role customer needs the claim customer, an id")
        if customer_ids is not None and one not in customer_ids:
            raise TokenInvalid("the claim customer is not among the claim customers")
        customer_ids = frozenset((one,))
    if customer_ids is not None and not all(one.startswith(_CUSTOMER_PREFIX) for one in customer_ids):
        raise TokenInvalid(
            f"customers are named by their ids ({_CUSTOMER_PREFIX}…), because aliases can move"
        )
    return Caller(subject, roles, customer_ids=customer_ids)


def _texts(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    listed = claims.get(name)
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise TokenInvalid(f"the claim {name} must be a list of texts")
    if len(listed) > CUSTOMERS_MAX:
        raise TokenInvalid(f"the claim {name} has more than {CUSTOMERS_MAX} entries")
    return frozenset(listed)
