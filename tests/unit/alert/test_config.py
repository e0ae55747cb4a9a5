# SPDX-License-Identifier: Apache-2.0
"""The settings of the mail server. tests/rpc/alert/test_process.py has the others."""

import pytest

from meshkit.config import load
from services.alert.config import AlertSettings
from services.alert.mail.server import MailSecurity, Sender
from tests.support.alert import SECRET_KEYS


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("PURSER_ALERT_DATABASE_URL", "postgresql://u:p@127.0.0.1:1/x")
    monkeypatch.setenv("PURSER_ALERT_SECRET_KEYS", SECRET_KEYS)
    monkeypatch.setenv("PURSER_INSECURE", "true")
    return monkeypatch


def test_without_a_mail_server_there_is_none() -> None:
    assert load(AlertSettings).mail_server is None


def test_a_mail_server_is_used_with_starttls_unless_another_security_is_set(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PURSER_ALERT_SMTP_HOST", "mail.example")
    environment.setenv("PURSER_ALERT_SMTP_SENDER", "Purser <alerts@vendor.example>")
    environment.setenv("PURSER_ALERT_SMTP_USER", "purser")
    environment.setenv("PURSER_ALERT_SMTP_PASSWORD", "hunter2")

    settings = load(AlertSettings)

    server = settings.mail_server
    assert server is not None
    assert (server.host, server.port, server.security) == ("mail.example", 587, MailSecurity.STARTTLS)
    assert server.sender == Sender(name="Purser", address="alerts@vendor.example")
    assert (server.user, server.password) == ("purser", "hunter2")
    assert "hunter2" not in repr(server) + repr(settings)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"host": "mail.example"}, "SENDER: must be set together with the mail server"),
        ({"sender": "alerts@vendor.example"}, "SENDER: must be set together with the mail server"),
        ({"host": "mail.example", "sender": "Purser"}, "SENDER: must be an address, or a name and <address>"),
        (
            {"host": "mail.example", "sender": "A\r\nBcc: b@c.example <a@b.example>"},
            "SENDER: must be an address, or a name and <address>",
        ),
        ({"security": "SSL"}, "SECURITY: Input should be 'STARTTLS', 'TLS' or 'NONE'"),
        ({"port": "0"}, "PORT: Input should be greater than or equal to 1"),
        ({"password": "hunter2"}, "PASSWORD: must be set together with the user"),
        ({"user": "purser"}, "PASSWORD: must be set together with the user"),
        (
            {"user": "purser", "password": "hunter2", "security": "NONE"},
            "PASSWORD: must not be sent to a mail server without TLS",
        ),
    ],
)
def test_wrong_settings_are_named_without_their_values(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: dict[str, str], line: str
) -> None:
    for name, value in settings.items():
        environment.setenv(f"PURSER_ALERT_SMTP_{name.upper()}", value)

    with pytest.raises(SystemExit):
        load(AlertSettings)

    (only,) = capsys.readouterr().err.splitlines()
    assert only.startswith(f"PURSER_ALERT_SMTP_{line}")
    assert "hunter2" not in only
