# SPDX-License-Identifier: Apache-2.0
"""Golden files: what each stored type and each request's hash looked like when they were first stored.

    .venv/bin/python -m tests.support.golden

writes the files that are missing, from what real services store when tests/support/every_write.py calls them. It never
changes what a file says already. Checked by tests/unit/formats; the rules: libs/README.md, "Stored formats".
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncpg

from meshkit.formats import VERSION_KEY, Format
from meshkit.rpc.fingerprint import fingerprint
from services.alert.store import formats as alert
from services.catalog.store import formats as catalog
from services.contract.store import formats as contract
from services.ledger.store import formats as ledger
from tests.support.any_rpc import Json, methods, request_of
from tests.support.every_write import Recording, record
from tests.support.postgres import Databases, PostgresServer, make_database, open_server

FOLDER: Final = Path(__file__).parents[1] / "unit" / "formats" / "golden"
FORMATS: Final = {
    "alert": (alert.RESPONSES, alert.NOTICES),
    "catalog": (catalog.RESPONSES, catalog.NOTICES, catalog.COLUMNS),
    "contract": (contract.RESPONSES, contract.NOTICES, contract.COLUMNS),
    "ledger": (ledger.RESPONSES, ledger.NOTICES, ledger.COLUMNS),
}
# What peers tell with a version or a sequence. A repetition is recognised by that, and no response is stored.
TOLD_WITH_A_VERSION: Final = {
    "ApplyContract",
    "ApplyCustomer",
    "ApplyMetrics",
    "ApplyRateCard",
    "ApplySeatChange",
    "ReportTopUpLevel",
    "SetTopUpLevel",
    "VoidSeatChange",
    "WatchThreshold",
}
COLUMNS: Final = {
    "PricingDimension": "SELECT jsonb_array_elements(pricing_dimensions) FROM catalog.products",
    "QuantityConversion": "SELECT conversion FROM catalog.products WHERE conversion IS NOT NULL",
    "RateTier": "SELECT jsonb_array_elements(tiers) FROM catalog.rates",
    "Party": "SELECT details FROM contract.seller_details",
    "BillingDetails": "SELECT details FROM contract.billing_details",
    "InvoiceParties": "SELECT parties FROM contract.invoice_parties",
    "UsageReport": "SELECT report FROM contract.invoice_usage",
    "DraftLine": "SELECT jsonb_array_elements(draft_lines) FROM contract.invoice_usage",
    "Suspension": "SELECT jsonb_array_elements(suspensions) FROM contract.customers",
    "PaidSeats": "SELECT jsonb_array_elements(paid) FROM contract.plan_changes",
    "UnusedShare": "SELECT jsonb_array_elements(unused) FROM contract.plan_changes",
    "SeatVoid": "SELECT void FROM contract.seat_voids",
    "GrantRollover": "SELECT rollover FROM contract.grant_schedules WHERE rollover IS NOT NULL",
    "GrantEdition": "SELECT jsonb_array_elements(editions) FROM contract.grant_schedules",
    "OfferedTerms": "SELECT terms FROM contract.plan_offers",
    "OverageLimit": "SELECT jsonb_array_elements(overage) FROM contract.contracts",
    "SeatRate": "SELECT rate FROM contract.subscriptions, jsonb_array_elements(rates) rate WHERE NOT rate ? 'tiers'",
    "TieredSeatRate": "SELECT rate FROM contract.subscriptions, jsonb_array_elements(rates) rate WHERE rate ? 'tiers'",
    "PropertyFilter": "SELECT jsonb_array_elements(filters) FROM ledger.products",
    "Conversion": "SELECT conversion FROM ledger.products WHERE conversion IS NOT NULL",
    "Dimension": "SELECT jsonb_array_elements(pricing_dimensions) FROM ledger.products",
    "HoldLine": "SELECT jsonb_array_elements(lines) FROM ledger.holds",
    "EventResult": "SELECT result FROM ledger.usage_events ORDER BY transaction_id",
    "Rollover": "SELECT rollover FROM ledger.grant_schedules WHERE rollover IS NOT NULL",
    "ScheduleEdition": "SELECT jsonb_array_elements(editions) FROM ledger.grant_schedules",
    "Tier": "SELECT jsonb_array_elements(tiers) FROM ledger.rates",
}


def formats_of(service: str) -> Iterator[Format[Any]]:
    """Every format that a service declares."""
    for formats in FORMATS[service]:
        yield from formats


def stored_rpcs(service: str) -> set[str]:
    """The rpcs of a service whose response is stored."""
    with_id = {one.name for one in methods(service) if "request_id" in one.input_type.fields_by_name}
    return with_id - TOLD_WITH_A_VERSION


def path_of(service: str, one: Format[Any], version: int) -> Path:
    return FOLDER / service / f"{one.name}.{version}.json"


def requests_path(service: str) -> Path:
    return FOLDER / service / "requests.json"


def read(path: Path) -> Json:
    return json.loads(path.read_text())


def without_order(data: Json) -> Json:
    """The data with its lists sorted: the elements of a set are stored in any order."""
    if isinstance(data, dict):
        return {key: without_order(value) for key, value in data.items()}
    if isinstance(data, list):
        return sorted((without_order(one) for one in data), key=partial(json.dumps, sort_keys=True))
    return data


def is_of(one: Format[Any], data: Json) -> bool:
    """Whether a value was stored in this format: it is read, and written as it was."""
    try:
        again = one.encode(one.decode(data))
    except (ValueError, KeyError):  # an upcaster of this format misses what its older versions have
        return False
    return bool(without_order(again) == without_order(data))


def _write(path: Path, content: dict[str, Json]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(content))
    sys.stdout.write(f"wrote {path.relative_to(FOLDER)}\n")


def to_text(content: dict[str, Json]) -> str:
    """JSON with one line per element of each list."""
    named = []
    for name, rows in content.items():
        lines = ",\n".join(f"  {json.dumps(row, sort_keys=True, ensure_ascii=False)}" for row in rows)
        named.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(named) + "\n}\n"


def write_missing(service: str, recording: Recording, stored: dict[str, list[Json]]) -> None:
    """Write the golden files of a service that are missing. stored: values by name of their format."""
    for one in formats_of(service):
        path = path_of(service, one, one.version)
        values = [data for data in stored.get(one.name, []) if data.get(VERSION_KEY, 1) == one.version]
        if not path.exists() and values:
            older = {f"from {n}": upcast(service, one, n) for n in range(1, one.version)}
            _write(path, {"values": values} | older)
    path = requests_path(service)
    known = read(path) if path.exists() else {}
    new: dict[str, list[Json]] = {}
    for call in recording.calls:
        if call.rpc in stored_rpcs(service) - set(known):
            digest = fingerprint(call.rpc, request_of(service, call.rpc, call.request)).hex()
            new.setdefault(call.rpc, []).append({"request": call.request, "fingerprint": digest})
    if new:
        _write(path, known | new)


def upcast(service: str, one: Format[Any], version: int) -> list[Json]:
    """What the values of an older golden file are stored as today."""
    return [one.encode(one.decode(data)) for data in read(path_of(service, one, version))["values"]]


async def stored_values(databases: Databases, service: str) -> dict[str, list[Json]]:
    """What a service has stored as JSON, by name of its format, each value once."""
    inside = await asyncpg.connect(databases.admin_url)
    try:
        found = [
            (row["kind"], row["payload"])
            for row in await inside.fetch(
                f"SELECT kind, payload::text FROM {service}.outbox ORDER BY create_time"
            )
        ]
        for row in await inside.fetch(f"SELECT answer::text FROM {service}.requests ORDER BY request_id"):
            data = json.loads(row["answer"])
            found += [(one.name, row["answer"]) for one in FORMATS[service][0] if is_of(one, data)]
        for one in formats_of(service):
            if one.name in COLUMNS:
                found += [(one.name, row[0]) for row in await inside.fetch(COLUMNS[one.name])]
    finally:
        await inside.close()
    by_name: dict[str, list[Json]] = {}
    for name, text in dict.fromkeys(found):
        by_name.setdefault(name, []).append(json.loads(text))
    return by_name


async def _main(server: PostgresServer) -> None:
    databases = await make_database(server)
    for service, recording in (await record(databases)).items():
        write_missing(service, recording, await stored_values(databases, service))


if __name__ == "__main__":
    with open_server() as opened:
        asyncio.run(_main(opened))
