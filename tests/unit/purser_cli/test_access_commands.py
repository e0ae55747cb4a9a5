# SPDX-License-Identifier: Apache-2.0
"""`token` and `certs`: what they write, and what they refuse."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from typer.testing import CliRunner

from meshkit.clock import ManualClock
from purser_cli import certs, token

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def run_token(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(token.commands(ManualClock(NOW)), list(arguments))
    return ended.exit_code, ended.output.strip()


def run_certs(*arguments: str, now: datetime = NOW) -> tuple[int, str]:
    ended = CliRunner().invoke(certs.command(ManualClock(now)), list(arguments))
    return ended.exit_code, ended.output.strip()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_has_the_claims_that_were_asked_for(tmp_path: Path) -> None:
    assert run_token("key", str(tmp_path))[0] == 0

    status, issued = run_token(
        *("issue", str(tmp_path), "--role", "gate", "--role", "viewer", "--subject", "chat"),
        *("--hours", "2", "--only", "cus_1"),
    )

    assert status == 0
    [key] = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert jwt.get_unverified_header(issued) == {"alg": "ES256", "kid": key["kid"], "typ": "JWT"}
    assert jwt.decode(issued, options={"verify_signature": False}) == {
        "sub": "chat",
        "roles": ["gate", "viewer"],
        "customers": ["cus_1"],
        "iss": "purser",
        "aud": "purser",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(hours=2)).timestamp()),
    }


def test_private_keys_are_readable_by_their_owner_only_and_never_listed(tmp_path: Path) -> None:
    run_token("key", str(tmp_path))
    run_certs(str(tmp_path))

    for name in ("signing-key.pem", "ca-key.pem", "ledger-key.pem"):
        assert mode(tmp_path / name) == 0o600
    [key] = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert "d" not in key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--role", "gat", "--subject", "x"), "no role is named gat"),
        (("--role", "customer", "--subject", "x"), "the role customer and --customer go together"),
        (("--role", "gate", "--subject", "x", "--customer", "cus_1"), "go together"),
        (("--role", "customer", "--subject", "x", "--customer", "acme"), "by their ids"),
        (("--role", "gate", "--subject", "x", "--only", "acme"), "by their ids"),
    ],
)
def test_a_token_that_no_service_would_accept_is_not_issued(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    run_token("key", str(tmp_path))

    status, output = run_token("issue", str(tmp_path), *arguments)

    assert status == 2
    assert said in output


def test_without_a_key_it_says_how_to_create_one(tmp_path: Path) -> None:
    status, output = run_token("issue", str(tmp_path), "--role", "gate", "--subject", "x")

    assert status == 2
    assert "purser token key" in output


def test_certificates_have_the_names_by_which_services_are_known(tmp_path: Path) -> None:
    assert run_certs(str(tmp_path), "--host", "ledger.example", "--host", "10.0.0.1", "--days", "30")[0] == 0

    certificate = x509.load_pem_x509_certificate((tmp_path / "ledger.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "spiffe://purser.internal/purser/ledger"
    ]
    assert names.get_values_for_type(x509.DNSName) == ["ledger.purser.internal", "ledger.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=30)


def test_renewing_keeps_the_authority(tmp_path: Path) -> None:
    run_certs(str(tmp_path))
    authority, former = (tmp_path / "ca.pem").read_bytes(), (tmp_path / "ledger.pem").read_bytes()

    run_certs(str(tmp_path), now=NOW + timedelta(days=60))

    assert (tmp_path / "ca.pem").read_bytes() == authority
    assert (tmp_path / "ledger.pem").read_bytes() != former


def test_half_an_authority_is_not_overwritten(tmp_path: Path) -> None:
    run_certs(str(tmp_path))
    authority = (tmp_path / "ca.pem").read_bytes()
    (tmp_path / "ca-key.pem").unlink()

    status, output = run_certs(str(tmp_path))

    assert status == 2
    assert "only one of ca.pem and ca-key.pem" in output
    assert (tmp_path / "ca.pem").read_bytes() == authority
