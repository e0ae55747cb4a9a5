# SPDX-License-Identifier: Apache-2.0
"""Alert rules and the dashboard name metrics and labels that exist, and the runbook knows every alert.

That the table of metrics is what a mesh serves is tested in tests/integration/test_observability.py.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import pytest
import yaml

from deploy.local.database import SOURCE_ROOT as ROOT
from tests.support.metrics import TABLE, documented

GRAFANA: Final = TABLE.parent
RUNBOOK: Final = ROOT / "deploy/RUNBOOK.md"
# Of Prometheus itself: whether a process answers it.
OWN_METRICS: Final = {"up": frozenset[str]()}
OWN_LABELS: Final = frozenset({"instance", "job"})
HISTOGRAM_SAMPLES: Final = {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}


def _rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((GRAFANA / "alerts.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def _expressions() -> list[str]:
    dashboard = json.loads((GRAFANA / "dashboards" / "purser.json").read_text())
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [*(rule["expr"] for rule in _rules()), *drawn]


def _samples() -> dict[str, frozenset[str]]:
    """The labels of every sample, by its name."""
    samples: dict[str, frozenset[str]] = dict(OWN_METRICS)
    for name, metric in documented().items():
        if metric.kind == "histogram":
            samples |= {f"{name}{end}": metric.labels | own for end, own in HISTOGRAM_SAMPLES.items()}
        else:
            samples[name] = metric.labels
    return samples


def _problems(expression: str) -> list[str]:
    """What an expression names that does not exist."""
    samples, named, problems = _samples(), set[str](), []
    tree = promql.parse(expression.replace("$__rate_interval", "5m"))
    for selector in _selectors(tree):
        if selector.name in samples:
            named |= samples[selector.name]
            unknown = {one.name for one in selector.matchers.matchers} - samples[selector.name] - OWN_LABELS
            problems += [f"{selector.name} has no label {label}" for label in sorted(unknown)]
        else:
            problems.append(f"nobody serves {selector.name}")
    grouped = {label for found in re.findall(r"\bby \(([^)]*)\)", expression) for label in found.split(", ")}
    return problems + [f"no metric here has {label}" for label in sorted(grouped - named - OWN_LABELS)]


def _selectors(node: object) -> Iterator[promql.VectorSelector]:
    if isinstance(node, promql.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, part, None)
        if child is not None and not isinstance(child, str):
            yield from _selectors(child)
    for argument in getattr(node, "args", ()) or ():
        yield from _selectors(argument)


def test_every_metric_and_label_of_the_alerts_and_of_the_dashboard_exists() -> None:
    found = {expression: _problems(expression) for expression in _expressions()}

    assert len(found) > 40
    assert {expression: problems for expression, problems in found.items() if problems} == {}


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ("sum by (rpc) (rate(mesh_rpc_seconds_count[5m]))", []),
        ("rate(mesh_rpc_second_count[$__rate_interval])", ["nobody serves mesh_rpc_second_count"]),
        ("mesh_rpc_seconds", ["nobody serves mesh_rpc_seconds"]),
        ("1 > bool (time() - mesh_dead_letter)", ["nobody serves mesh_dead_letter"]),
        ("mesh_dead_letters{kind='x'} > 0", ["mesh_dead_letters has no label kind"]),
        ("sum by (service) (mesh_database_up)", ["no metric here has service"]),
    ],
)
def test_an_expression_that_names_what_does_not_exist_is_caught(expression: str, problems: list[str]) -> None:
    assert _problems(expression) == problems


def _sections() -> dict[str, str]:
    """The symptoms of the runbook by their anchors, each with its text."""
    parts = re.split(r"^### (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): text
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_alert_has_its_section_in_the_runbook_and_the_runbook_names_no_other_alert() -> None:
    sections, rules = _sections(), _rules()

    for rule in rules:
        document, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (document, anchor in sections) == ("deploy/RUNBOOK.md", True), rule["alert"]
        assert f"`{rule['alert']}`" in sections[anchor], rule["alert"]
    named = set(re.findall(r"`(Purser[A-Z]\w+)`", RUNBOOK.read_text()))
    assert named == {rule["alert"] for rule in rules}


def test_every_alert_says_how_urgent_it_is() -> None:
    assert {rule["labels"]["severity"] for rule in _rules()} == {"page", "ticket"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_promtool_accepts_the_files(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH; it is in every release of Prometheus")

    ended = subprocess.run(
        [promtool, *arguments], cwd=Path(GRAFANA), capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
