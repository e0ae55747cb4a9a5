# SPDX-License-Identifier: Apache-2.0
"""Every metric that the code declares is in deploy/grafana/METRICS.md, with its type and labels.

What a running mesh really serves is compared in tests/integration/test_observability.py.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from deploy.local.database import SOURCE_ROOT
from tests.support.metrics import documented

KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
FOLDERS = ((SOURCE_ROOT / "libs", SOURCE_ROOT / "libs"), (SOURCE_ROOT / "services", SOURCE_ROOT))


def _modules() -> Iterator[str]:
    """The modules that declare metrics."""
    for folder, root in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            if "prometheus_client" in path.read_text():
                yield _name(path, root)


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def _declared() -> dict[str, Counter | Gauge | Histogram]:
    found = {}
    for module in _modules():
        for one in vars(importlib.import_module(module)).values():
            if isinstance(one, tuple(KINDS)):
                [family] = one.describe()
                found[f"{family.name}_total" if isinstance(one, Counter) else family.name] = one
    return found


def _has_labels(metric: Counter | Gauge | Histogram, labels: frozenset[str]) -> bool:
    if not labels:  # then it has samples before anything happens
        samples = next(iter(metric.collect())).samples
        return samples != [] and all(sample.labels.keys() <= {"le"} for sample in samples)
    try:
        metric.labels(**dict.fromkeys(labels, "checked"))
    except ValueError:
        return False
    metric.remove(*("checked" for _ in labels))
    return True


def test_every_declared_metric_is_in_the_table_with_its_type_and_labels() -> None:
    declared, table = _declared(), documented()

    assert len(declared) > 20
    assert {name: KINDS[type(metric)] for name, metric in declared.items()} == {
        name: one.kind for name, one in table.items() if not name.startswith(("process_", "python_"))
    }
    assert [name for name, metric in declared.items() if not _has_labels(metric, table[name].labels)] == []


def test_a_label_too_few_or_too_many_is_caught() -> None:
    metric = Counter("test_checked_labels", "For this test.", ["kind", "state"], registry=None)

    assert _has_labels(metric, frozenset({"kind", "state"}))
    assert not _has_labels(metric, frozenset({"kind"}))
    assert not _has_labels(metric, frozenset({"kind", "state", "result"}))
    assert not _has_labels(metric, frozenset())
    assert not _has_labels(Gauge("test_no_labels", "For this test.", registry=None), frozenset({"kind"}))
