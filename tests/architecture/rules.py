# SPDX-License-Identifier: Apache-2.0
"""The import rules of this repository: each is a function from a source file to the lines that break it."""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.architecture.source import FRONTS, SERVICES, Source


@dataclass(frozen=True)
class Rule:
    """A promise, its check, and the smallest file that the check must reject."""

    promise: str
    check: Callable[[Source], Iterator[str]]
    broken_path: str
    broken_text: str

    def violations(self, of: Iterable[Source]) -> list[str]:
        return [f"{source.path}:{what}" for source in of for what in self.check(source)]

    def broken(self) -> Source:
        return Source(PurePosixPath(self.broken_path), self.broken_text)


IMPURE = {
    "asyncio",
    "os",
    "random",
    "uuid",
    "time",
    "logging",
    "socket",
    "threading",
    "subprocess",
    "secrets",
}
DOMAIN_MESHKIT = (
    "meshkit.quantity",
    "meshkit.currency",
    "meshkit.period",
    "meshkit.errors",
    "meshkit.ids",
    "meshkit.mapping",
    "meshkit.evolve",
    "meshkit.distance",
    "meshkit.values",
)
DATABASE = ("sqlalchemy", "asyncpg", "alembic")
WIRE_FORMAT = ("grpc", "google", "purser", "grpc_status")
CLOCK_CALL = re.compile(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|uuid[1-8])$")
BUSINESS_NOUNS = {
    *("alert", "catalog", "contract", "customer", "entitlement", "grant", "invoice", "ledger"),
    *("proration", "seat", "subscription", "webhook"),
}
# The client library runs in other people's processes, where no app or __main__ of ours builds its channel and clock.
CLIENT_CHANNEL = PurePosixPath("libs/purser_client/channel.py")
CLI_CHANNELS = (
    PurePosixPath("libs/purser_cli/session/connection.py"),
    PurePosixPath("libs/purser_cli/importing/command.py"),
)
CLIENT_GATE = PurePosixPath("libs/purser_client/gate.py")
CLIENT_OPENED = PurePosixPath("libs/purser_client/opened.py")
CLIENT_MESHKIT = ("meshkit.clock", "meshkit.errors", "meshkit.ids", "meshkit.quantity", "meshkit.values")
CLIENT_MESHKIT_FILES = {PurePosixPath("libs", *one.split(".")).with_suffix(".py") for one in CLIENT_MESHKIT}
FRONT_LIBRARIES = (
    *(
        "babel",
        "google",
        "grpc",
        "grpc_health",
        "jinja2",
        "markupsafe",
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
    ),
    *("starlette", "structlog"),
)
# The only place that knows how tokens are signed: the edge makes links for the portal with it.
SIGNED_LINKS = "purser_cli.tokens"
NOT_FOR_FRONTS = ("meshkit.db", "meshkit.outbox", "meshkit.migrations", "meshkit.requests", "meshkit.service")
LEDGER_CONNECTION = PurePosixPath("services/ledger/store/connection.py")
NO_AMOUNT = re.compile(r"jitter|.*_seconds(_max|_min)?")


def _inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _own_layers(source: Source, *layers: str) -> tuple[str, ...]:
    return tuple(f"services.{source.service}.{layer}" for layer in layers)


def _forbid_imports(source: Source, *packages: str) -> Iterator[str]:
    for module, line in source.imports():
        if _inside(module, *packages):
            yield f"{line} imports {module}"


def domain_imports_only_pure_things(source: Source) -> Iterator[str]:
    if source.layer != "domain":
        return
    own = (f"services.{source.service}.domain", *DOMAIN_MESHKIT)
    foreign = (*DATABASE, *WIRE_FORMAT, "structlog", "services", "sandbox", "meshkit", "pydantic", *IMPURE)
    for module, line in source.imports():
        if not _inside(module, *own) and _inside(module, *foreign):
            yield f"{line} imports {module}"


def domain_receives_the_time_and_never_waits(source: Source) -> Iterator[str]:
    if source.layer != "domain":
        return
    for name, line in source.calls():
        if CLOCK_CALL.search(name):
            yield f"{line} calls {name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield f"{node.lineno} is async"


def amounts_are_never_floats(source: Source) -> Iterator[str]:
    if source.layer not in ("domain", "operations", "tables", "store"):
        return
    allowed = {
        id(node)
        for name, annotation in source.annotated()
        if NO_AMOUNT.fullmatch(name)
        for node in ast.walk(annotation)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in allowed:
            name = ast.unparse(node)
            if name in ("float", "Decimal", "decimal.Decimal", "Float", "Numeric"):
                yield f"{node.lineno} uses {name}"


def wire_knows_domain_and_messages_only(source: Source) -> Iterator[str]:
    if source.layer != "wire":
        return
    layers = _own_layers(source, "store", "tables", "operations", "app", "config", "peers", "relay", "server")
    yield from _forbid_imports(source, *DATABASE, "grpc", "structlog", "os", "asyncio", "meshkit.db", *layers)


def server_has_no_sql_and_no_arithmetic(source: Source) -> Iterator[str]:
    if source.layer != "server":
        return
    layers = _own_layers(source, "store", "tables", "app", "config", "peers", "relay")
    yield from _forbid_imports(source, *DATABASE, "meshkit.db", "meshkit.outbox", "meshkit.requests", *layers)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.FloorDiv
        ):
            yield f"{node.lineno} calculates {ast.unparse(node)}"


def operations_know_domain_and_a_store_only(source: Source) -> Iterator[str]:
    if source.layer != "operations":
        return
    layers = _own_layers(source, "tables", "wire", "server", "app", "config", "peers", "relay")
    plumbing = (
        "meshkit.db",
        "meshkit.rpc",
        "meshkit.outbox",
        "meshkit.config",
        "meshkit.migrations",
        "sandbox",
    )
    yield from _forbid_imports(source, *DATABASE, *WIRE_FORMAT, "os", *plumbing, *layers)


def operations_know_the_store_by_its_transactions(source: Source) -> Iterator[str]:
    if source.layer != "operations":
        return
    exports = _own_layers(source, "store.PostgresStore", "store.Transaction")
    for module, line in source.imports():
        if _inside(module, *_own_layers(source, "store")) and module not in exports:
            yield f"{line} imports {module}"


def store_knows_domain_and_database_only(source: Source) -> Iterator[str]:
    if source.layer not in ("store", "tables"):
        return
    layers = _own_layers(source, "operations", "wire", "server", "app", "config", "peers", "relay")
    yield from _forbid_imports(source, *WIRE_FORMAT, "meshkit.rpc", *layers)


def services_do_not_import_each_other(source: Source) -> Iterator[str]:
    if not source.service:
        return
    yield from _forbid_imports(
        source, *(f"services.{other}" for other in (*SERVICES, *FRONTS) if other != source.service)
    )


def services_meet_in_peers_only(source: Source) -> Iterator[str]:
    if source.service not in SERVICES or source.layer == "peers":
        return
    yield from _forbid_imports(source, *(f"purser.{other}" for other in SERVICES if other != source.service))


def meshkit_is_plumbing(source: Source) -> Iterator[str]:
    if source.path.parts[:2] != ("libs", "meshkit"):
        return
    yield from _forbid_imports(source, "services", "purser", "sandbox", "deploy", "tests")
    for name, line in source.own_names():
        words = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", name).lower())
        if named := BUSINESS_NOUNS.intersection(words):
            yield f"{line} names {name}: {', '.join(named)} is business"


def the_client_has_few_dependencies(source: Source) -> Iterator[str]:
    if source.path.parts[:2] != ("libs", "purser_client") and source.path not in CLIENT_MESHKIT_FILES:
        return
    light = ("grpc", "google.protobuf", "google.rpc", "purser.ledger", "purser_client", *CLIENT_MESHKIT)
    for module, line in source.imports():
        if not _inside(module, *light) and module.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{line} imports {module}"


def the_command_line_is_a_client_like_any_other(source: Source) -> Iterator[str]:
    if source.path.parts[:2] != ("libs", "purser_cli"):
        return
    allowed = (
        "purser",
        "access",
        "meshkit",
        "purser_cli",
        "grpc",
        "google",
        "typer",
        "rich",
        "yaml",
        "cryptography",
        "jwt",
    )
    for module, line in source.imports():
        if not _inside(module, *allowed) and module.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{line} imports {module}"


def fronts_are_clients_like_any_other(source: Source) -> Iterator[str]:
    if source.service not in FRONTS:
        return
    allowed = ("purser", "meshkit", "access", SIGNED_LINKS, f"services.{source.service}", *FRONT_LIBRARIES)
    for module, line in source.imports():
        if not _inside(module, *allowed) and module.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{line} imports {module}"
        if _inside(module, *NOT_FOR_FRONTS):
            yield f"{line} imports {module}"


def libs_and_services_import_neither_deploy_nor_tests(source: Source) -> Iterator[str]:
    if source.path.parts[0] in ("libs", "services"):
        yield from _forbid_imports(source, "deploy", "tests")


def only_main_reads_the_environment_and_makes_the_clock(source: Source) -> Iterator[str]:
    if source.path.parts[0] not in ("libs", "services") or source.path.name == "__main__.py":
        return
    if source.path not in (PurePosixPath("libs/meshkit/clock.py"), CLIENT_GATE):
        for name, line in source.calls():
            if name.split(".")[-1] == "SystemClock" or CLOCK_CALL.search(name):
                yield f"{line} calls {name}"
    if source.path == CLIENT_CHANNEL:
        return  # it sets a variable, by which gRPC is configured
    for name, line in source.names():
        if name in ("os.environ", "os.getenv", "environ", "getenv"):
            yield f"{line} reads {name}"


def only_the_service_builder_opens_engines_channels_and_servers(source: Source) -> Iterator[str]:
    if source.path.parts[0] not in ("libs", "services"):
        return
    builders = {"open_engine", "create_async_engine", "create_engine", "create_pool", "open_channel"}
    builders |= {"insecure_channel", "secure_channel", "start_server"}
    if source.layer != "app":
        builders |= {"open_pool"}  # the Ledger's app also opens plain asyncpg connections
    builds = source.path in (LEDGER_CONNECTION, CLIENT_CHANNEL, CLIENT_OPENED, *CLI_CHANNELS)
    if source.path.parts[:2] == ("libs", "meshkit") or builds:
        return
    for name, line in source.calls():
        if name.split(".")[-1] in builders:
            yield f"{line} calls {name}"


def the_sandbox_clock_is_served_from_one_place(source: Source) -> Iterator[str]:
    if source.path.parts[:2] == ("libs", "sandbox"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and any(
            "ClockServiceServicer" in ast.unparse(base) for base in node.bases
        ):
            yield f"{node.lineno} serves the clock in {node.name}"


def sql_names_only_the_services_own_schema(source: Source) -> Iterator[str]:
    if source.layer not in ("store", "tables", "migrations"):
        return
    others = "|".join(other for other in SERVICES if other != source.service)
    for text, line in source.texts():
        if re.fullmatch(others, text) or re.search(rf"(?<![\w./])({others})\.[a-z_]+", text):
            yield f"{line} names another schema: {text.strip()[:60]!r}"


def ledger_sql_suits_a_sharded_database(source: Source) -> Iterator[str]:
    if source.service != "ledger" or source.layer not in ("store", "tables", "migrations"):
        return
    unfit = (
        r"\bCREATE\s+(OR\s+REPLACE\s+)?TRIGGER\b|\bCREATE\s+SEQUENCE\b|\b(BIG|SMALL)?SERIAL\b|\bAS\s+IDENTITY\b"
        r"|\bpg_(try_)?advisory|\bLISTEN\s+\w+|\bNOTIFY\s+\w+|\bpg_notify|\bSKIP\s+LOCKED\b|\bnow\(\)|\bCURRENT_TIMESTAMP\b"
    )
    for text, line in source.texts():
        if found := re.search(unfit, text, re.IGNORECASE):
            yield f"{line} says {found[0]}"


RULES = (
    Rule(
        "domain imports only the pure standard library, itself, and meshkit's values",
        domain_imports_only_pure_things,
        "services/ledger/domain/rating.py",
        "from uuid import uuid4",
    ),
    Rule(
        "domain receives the time as an argument and never waits",
        domain_receives_the_time_and_never_waits,
        "services/ledger/domain/rating.py",
        "from datetime import datetime\ndef f() -> datetime:\n    return datetime.now()",
    ),
    Rule(
        "amounts are never floats or decimals",
        amounts_are_never_floats,
        "services/ledger/domain/rating.py",
        "def price(amount: float) -> None: ...",
    ),
    Rule(
        "wire knows the domain and messages only",
        wire_knows_domain_and_messages_only,
        "services/ledger/wire.py",
        "from services.ledger import store",
    ),
    Rule(
        "server contains no SQL and no arithmetic",
        server_has_no_sql_and_no_arithmetic,
        "services/ledger/server.py",
        "def f(a: int, b: int) -> int:\n    return a - b",
    ),
    Rule(
        "operations know the domain and the store only",
        operations_know_domain_and_a_store_only,
        "services/ledger/operations/gate/holds.py",
        "from purser.ledger.v1 import ledger_pb2",
    ),
    Rule(
        "operations use the store's transactions, not its statements",
        operations_know_the_store_by_its_transactions,
        "services/contract/operations/contracts.py",
        "from services.contract.store.contracts import StoredContracts",
    ),
    Rule(
        "store and tables know the domain and the database only",
        store_knows_domain_and_database_only,
        "services/ledger/store/gate/holds.py",
        "import grpc.aio",
    ),
    Rule(
        "no service imports another",
        services_do_not_import_each_other,
        "services/ledger/app.py",
        "from services.contract.domain import invoice",
    ),
    Rule(
        "services meet in their peers only, through stubs",
        services_meet_in_peers_only,
        "services/contract/relay.py",
        "from purser.ledger.v1 import ledger_admin_pb2",
    ),
    Rule(
        "meshkit imports no service and names no business noun",
        meshkit_is_plumbing,
        "libs/meshkit/outbox/relay.py",
        "def find(customer_id: str) -> None: ...",
    ),
    Rule(
        "the client library and its part of meshkit import gRPC, the ledger's stubs and light plumbing only",
        the_client_has_few_dependencies,
        "libs/purser_client/ledger_client.py",
        "from meshkit.rpc.server import start_server",
    ),
    Rule(
        "the command line imports stubs and meshkit only",
        the_command_line_is_a_client_like_any_other,
        "libs/purser_cli/importing/lines.py",
        "from services.ledger.domain.usage.event import EventStatus",
    ),
    Rule(
        "portal and edge import stubs, meshkit without databases, and access only",
        fronts_are_clients_like_any_other,
        "services/portal/customer/caps.py",
        "from services.ledger.domain.gate.caps import Window",
    ),
    Rule(
        "libs and services import neither deploy nor tests",
        libs_and_services_import_neither_deploy_nor_tests,
        "services/ledger/app.py",
        "from deploy.local import postgres",
    ),
    Rule(
        "only __main__ reads the environment and makes the system clock",
        only_main_reads_the_environment_and_makes_the_clock,
        "services/ledger/app.py",
        "from meshkit.clock import SystemClock\nclock = SystemClock()",
    ),
    Rule(
        "only meshkit's service builder opens engines, channels and servers",
        only_the_service_builder_opens_engines_channels_and_servers,
        "services/ledger/app.py",
        "from meshkit.db import open_engine\nengine = open_engine('x', application_name='y')",
    ),
    Rule(
        "the sandbox clock is served from libs/sandbox only",
        the_sandbox_clock_is_served_from_one_place,
        "services/ledger/server.py",
        "class Clock(clock_pb2_grpc.ClockServiceServicer): ...",
    ),
    Rule(
        "a service's SQL names only its own schema",
        sql_names_only_the_services_own_schema,
        "services/ledger/store/pools.py",
        "QUERY = 'SELECT * FROM ledger.pool JOIN contract.customer USING (customer_id)'",
    ),
    Rule(
        "the ledger's SQL suits a sharded database",
        ledger_sql_suits_a_sharded_database,
        "services/ledger/migrations/versions/0002_x.py",
        "STATEMENT = 'CREATE TABLE ledger.entry (n bigserial)'",
    ),
)
