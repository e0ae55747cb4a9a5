# SPDX-License-Identifier: Apache-2.0
"""What /metrics serves, and what deploy/grafana/METRICS.md says of it."""

import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

TABLE: Final = Path(__file__).parents[2] / "deploy/grafana/METRICS.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| (\w+) \| ([^|]+) \|$", re.MULTILINE)
# Of a histogram's samples, beside those of the metric.
_OWN_LABELS: Final = {"le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """A row of the table. served_by: a service, or "all"."""

    kind: str
    labels: frozenset[str]
    served_by: str


def documented() -> dict[str, Documented]:
    """Return the rows of the table by name of the metric."""
    return {
        name: Documented(kind=kind, labels=frozenset(re.findall(r"`(\w+)`", labels)), served_by=served_by)
        for name, kind, labels, served_by, _ in _ROW.findall(TABLE.read_text())
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """kinds: the types by name, as in the table. labels: of each sample, by name of the metric."""

    kinds: Mapping[str, str]
    labels: Mapping[str, frozenset[frozenset[str]]]
    values: Mapping[str, float]


def served(address: str) -> Served:
    """Return what a process serves at host:port. values: sums over labels, of samples by their names."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    kinds, labels, values = {}, {}, dict[str, float]()
    for family in families:
        if family.name.endswith("_created"):  # when each counter began to count: of no use to whoever watches
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        kinds[name] = family.type
        labels[name] = frozenset(frozenset(one.labels) - _OWN_LABELS for one in family.samples)
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
    return Served(kinds=kinds, labels=labels, values=values)
