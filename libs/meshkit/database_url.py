# SPDX-License-Identifier: Apache-2.0
"""What a database URL says: hosts, who logs in, and which of several hosts is meant. It opens nothing."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from meshkit.errors import Invalid

# The password may contain characters that other parsers refuse, such as "/": generated passwords do.
_URL = re.compile(
    r"postgres(?:ql)?(?:\+asyncpg)?://"
    r"(?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?@]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{1,5}))?")
PORT: Final = 5432
ATTRIBUTES: Final = "target_session_attrs"
# Of several hosts all but one are standbys, which refuse writes.
WRITABLE: Final = "read-write"


class DatabaseUrlUnusable(Invalid):
    """The configured database URL is not a PostgreSQL URL."""

    reason = "DATABASE_URL_UNUSABLE"

    def __init__(self) -> None:
        super().__init__(
            "the database URL is not a PostgreSQL URL; write it like"
            " postgresql://user:password@host:port/database, with several hosts as host:port,host:port"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of a database. name: empty if the URL names none, as with ?host=/run/postgresql."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name or 'the database'}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A parsed database URL.

    hosts: at least one. password_file: read at each connection, so a rotated password is used without a restart; empty:
    the URL's password is used. query: the options after "?", as PostgreSQL's own programs take them.
    """

    hosts: tuple[Host, ...]
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    query: str
    password_file: str

    @classmethod
    def parse(cls, url: str, *, password_file: str = "") -> "DatabaseUrl":
        """Parse "postgresql://user:password@host:port,host:port/database?option=value". Raises DatabaseUrlUnusable."""
        parts = _URL.fullmatch(url)
        if parts is None:
            raise DatabaseUrlUnusable
        query = parts["query"] or ""
        try:
            parse_qs(query, strict_parsing=bool(query))
        except ValueError:
            raise DatabaseUrlUnusable from None  # the cause's text may contain a password
        hosts = tuple(_host(one) for one in parts["hosts"].split(","))
        if len(hosts) > 1 and not all(host.name for host in hosts):
            raise DatabaseUrlUnusable
        return cls(
            hosts=hosts,
            user=unquote(parts["user"]) if parts["user"] else None,
            password=None if parts["password"] is None else unquote(parts["password"]),
            database=unquote(parts["database"]) if parts["database"] else None,
            query=query,
            password_file=password_file,
        )

    def arguments(self, host: Host) -> dict[str, Any]:
        """Return the arguments of asyncpg.connect for one of the hosts."""
        arguments: dict[str, Any] = {
            "dsn": f"postgresql:///?{self.query}" if self.query else None,
            "user": self.user,
            "password": self._read_password if self.password_file else self.password,
            "database": self.database,
        }
        if host.name:
            arguments |= {"host": host.name, "port": host.port}
        if len(self.hosts) > 1 and ATTRIBUTES not in parse_qs(self.query):
            arguments[ATTRIBUTES] = WRITABLE
        return arguments

    def _read_password(self) -> str:
        return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")


def role_of(url: str) -> str | None:
    """Return the role that a URL logs in with; None if it names none. Raises DatabaseUrlUnusable."""
    return DatabaseUrl.parse(url).user


def _host(text: str) -> Host:
    if not text:
        return Host(name="", port=PORT)
    parts = _HOST.fullmatch(text)
    if parts is None:
        raise DatabaseUrlUnusable
    return Host(name=unquote(parts["name"].strip("[]")), port=int(parts["port"] or PORT))
