# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens and the keys that sign them, for installations without an identity provider.

Source of the claims: services/README.md, "Identity and access".
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from meshkit.files import PRIVATE, PUBLIC, replace_file
from purser_cli.certificates import pem_of

ALGORITHM = "ES256"
KEY_FILE = "signing-key.pem"
JWKS_FILE = "jwks.json"
KEYS_MAX = 3


class SigningKeyMissing(Exception):
    """The folder has no key; in one line."""


def create_key(folder: Path, *, key_id: str) -> None:
    """Create a key that signs the tokens to come, and add it to the JWKS in front of the former ones.

    Tokens of the two keys before it stay valid; older keys are dropped. Services notice within seconds.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    public: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public |= {"kid": key_id, "alg": ALGORITHM, "use": "sig"}
    jwks = folder / JWKS_FILE
    former = json.loads(jwks.read_bytes())["keys"] if jwks.exists() else []
    # The public key first: a token that is signed meanwhile is of the former key, which is still listed.
    listed = json.dumps({"keys": [public, *former][:KEYS_MAX]}, indent=2) + "\n"
    replace_file(jwks, listed.encode(), mode=PUBLIC)
    replace_file(folder / KEY_FILE, f"kid: {key_id}\n".encode() + pem_of(key), mode=PRIVATE)


def issue(
    folder: Path,
    *,
    subject: str,
    roles: Sequence[str],
    now: datetime,
    valid: timedelta,
    customer: str = "",
    customers: Sequence[str] = (),
    locale: str = "",
    zone: str = "",
    issuer: str = "purser",
    audience: str = "purser",
) -> str:
    """Return a token. customer: for the role of that name. customers: the only ones it may see; none: all.

    locale, zone: what the viewer of the portal prefers, such as "de" and "Europe/Berlin"; empty: what the browser says.
    Raises SigningKeyMissing.
    """
    key_id, key = signing_key(folder)
    claims: dict[str, object] = {
        "sub": subject,
        "roles": list(roles),
        "iss": issuer,
        "aud": audience,
        "iat": int(now.timestamp()),
        "exp": int((now + valid).timestamp()),
    }
    if customer:
        claims["customer"] = customer
    if customers:
        claims["customers"] = list(customers)
    claims |= {name: value for name, value in (("locale", locale), ("zone", zone)) if value}
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})


def signing_key(folder: Path) -> tuple[str, bytes]:
    """Return the `kid` and the PEM of the key that signs now. Raises SigningKeyMissing."""
    try:
        first, _, pem = (folder / KEY_FILE).read_bytes().partition(b"\n")
    except FileNotFoundError:
        raise SigningKeyMissing(f"{folder} has no {KEY_FILE}; create one: purser token key") from None
    return first.removeprefix(b"kid: ").decode(), pem
