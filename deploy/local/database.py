# SPDX-License-Identifier: Apache-2.0
"""The database of the mesh: a schema per service, a role that owns and migrates it, and a role that serves from it."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from deploy.local.fault import Fault
from meshkit.database_url import role_of
from meshkit.db import migrate
from meshkit.files import PRIVATE, replace_file

SERVICES = ("catalog", "contract", "ledger", "alert")
SERVER_VERSION_MIN = 16
CONNECT_SECONDS_MAX = 10.0
SOURCE_ROOT = Path(__file__).resolve().parents[2]
# Before there were two roles, `purser_<service>` did both. It remains the owner, so older databases need no change.
RUNTIME_SUFFIX = "_runtime"
ROLES = tuple(f"{service}{suffix}" for service in SERVICES for suffix in ("", RUNTIME_SUFFIX))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUrls:
    """The URLs to log in with, by service. runtime: to serve; owner: to migrate."""

    runtime: dict[str, str]
    owner: dict[str, str]


async def prepare(
    admin_url: str, *, state_folder: Path, database: str = "purser", role_prefix: str = "purser"
) -> ServiceUrls:
    """Create the database, roles and schemas that are missing. Returns the URLs to log in with.

    admin_url: a server whose user may create roles and databases. Passwords are random and stored in
    `state_folder`/passwords.json (0600). Repeating it changes nothing and loses no data.
    Raises Fault: wrong URL, server unreachable or older than PostgreSQL 16, or missing rights.
    """
    address = _address(admin_url)
    passwords = _passwords(state_folder)
    server = await connect(address.render_as_string(hide_password=False))
    try:
        await _check_server(server, address)
        for role in ROLES:
            await _ensure_role(server, f"{role_prefix}_{role}", passwords[role])
        await _ensure_database(server, database)
        await restrict(server, database, role_prefix=role_prefix)
    except asyncpg.InsufficientPrivilegeError as error:
        raise Fault(
            f"PURSER_DATABASE_URL: {address.username} lacks a right: {error}; use an administrator"
        ) from error
    finally:
        await server.close()
    connection = await connect(address.set(database=database).render_as_string(hide_password=False))
    try:
        for service in SERVICES:
            await _ensure_schema(connection, service, f"{role_prefix}_{service}")
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    except asyncpg.InsufficientPrivilegeError as error:
        raise Fault(
            f"database {database!r} belongs to another user ({error}); drop it or use its owner"
        ) from error
    finally:
        await connection.close()
    urls = {role: role_url(admin_url, role, passwords[role], database, role_prefix) for role in ROLES}
    return ServiceUrls(
        runtime={service: urls[service + RUNTIME_SUFFIX] for service in SERVICES},
        owner={service: urls[service] for service in SERVICES},
    )


async def migrate_all(urls: ServiceUrls) -> None:
    """Migrate each service's schema to its newest revision, as its owner, and grant the runtime role its privileges."""
    for service in SERVICES:
        await migrate(urls.owner[service], service=service, runtime_role=role_of(urls.runtime[service]))


async def drop(admin_url: str, database: str, *, role_prefix: str) -> None:
    """Drop what `prepare` created under these names, with all data. What no longer exists is ignored."""
    server = await connect(admin_url)
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {_quoted(database)} WITH (FORCE)")
        for role in ROLES:
            await server.execute(f"DROP ROLE IF EXISTS {_quoted(f'{role_prefix}_{role}')}")
    finally:
        await server.close()


async def restrict(
    server: "asyncpg.Connection[asyncpg.Record]", database: str, *, role_prefix: str = "purser"
) -> None:
    """Allow only the services' roles (and administrators) to connect to `database`. Repeat it for a copied database."""
    roles = ", ".join(_quoted(f"{role_prefix}_{role}") for role in ROLES)
    await server.execute(f"REVOKE ALL ON DATABASE {_quoted(database)} FROM PUBLIC")
    await server.execute(f"GRANT CONNECT ON DATABASE {_quoted(database)} TO {roles}")


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Return an administrator's connection. Raises Fault, in one line, when connecting fails."""
    address = _address(url)
    where = f"{address.host or 'localhost'}:{address.port or 5432}"
    try:
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise Fault(
            f"PostgreSQL at {where} refuses the login: {error}; correct PURSER_DATABASE_URL"
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise Fault(
            f"PostgreSQL at {where}: {error}; name a database that exists in PURSER_DATABASE_URL"
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Fault(
            f"no PostgreSQL answers at {where} ({what}); start it, correct PURSER_DATABASE_URL, "
            "or unset it to use the embedded one"
        ) from error


def role_url(admin_url: str, role: str, password: str, database: str, role_prefix: str = "purser") -> str:
    """Return `admin_url` with a role (without its prefix) and its password, and with `database`."""
    url = _address(admin_url).set(username=f"{role_prefix}_{role}", password=password, database=database)
    return url.render_as_string(hide_password=False)


def _address(url: str) -> URL:
    example = "postgresql://user:password@host:5432/postgres"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise Fault(f"PURSER_DATABASE_URL is not a URL; write it like {example}") from None
    if address.get_backend_name() not in ("postgresql", "postgres"):
        raise Fault(
            f"PURSER_DATABASE_URL names {address.get_backend_name()!r}; Purser needs PostgreSQL: {example}"
        )
    return address.set(drivername="postgresql", database=address.database or "postgres")


async def _check_server(server: "asyncpg.Connection[asyncpg.Record]", address: URL) -> None:
    check_version(int(await server.fetchval("SHOW server_version_num")), host=address.host)
    can_create_roles = await server.fetchval(
        "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    if not can_create_roles:
        raise Fault(
            f"{address.username} may not create roles on PostgreSQL at {address.host}; "
            "name an administrator in PURSER_DATABASE_URL (ALTER ROLE … CREATEROLE CREATEDB)"
        )


def check_version(version_number: int, *, host: str | None) -> None:
    """Raise Fault for a version below 16. version_number: as in server_version_num, 150014 for 15.14."""
    version = version_number // 10_000
    if version < SERVER_VERSION_MIN:
        raise Fault(
            f"PostgreSQL at {host} is version {version}, Purser needs {SERVER_VERSION_MIN} or newer; "
            "upgrade it, or unset PURSER_DATABASE_URL to use the embedded one"
        )


async def _ensure_role(server: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    exists = await server.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await server.execute(f"{verb} ROLE {_quoted(role)} LOGIN PASSWORD '{password}'")
    if not await server.fetchval("SELECT pg_has_role(current_user, $1, 'SET')", role):
        # An administrator who is no superuser needs this to make the role the owner of its schema.
        await server.execute(f"GRANT {_quoted(role)} TO CURRENT_USER WITH SET TRUE")


async def _ensure_database(server: "asyncpg.Connection[asyncpg.Record]", database: str) -> None:
    if not await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
        await server.execute(f"CREATE DATABASE {_quoted(database)} ENCODING 'UTF8' TEMPLATE template0")


async def _ensure_schema(connection: "asyncpg.Connection[asyncpg.Record]", schema: str, role: str) -> None:
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1", schema
    )
    if owner is None:
        await connection.execute(f"CREATE SCHEMA {_quoted(schema)} AUTHORIZATION {_quoted(role)}")
    elif owner != role:
        raise Fault(
            f"schema {schema!r} belongs to role {owner!r}, not to {role!r}; drop it or use another database"
        )


def _passwords(state_folder: Path) -> dict[str, str]:
    file = state_folder / "passwords.json"
    try:
        passwords: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        if not all(role in passwords for role in ROLES):
            passwords = {role: passwords.get(role) or secrets.token_urlsafe(24) for role in ROLES}
            state_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(file, json.dumps(passwords).encode(), mode=PRIVATE)
        return passwords
    except (OSError, ValueError) as error:
        raise Fault(
            f"{file} cannot be used ({error}); make it writable, or remove it and start again"
        ) from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
