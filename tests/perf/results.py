# SPDX-License-Identifier: Apache-2.0
"""The table for people, latest.json for programs, and a description of the machine."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.perf.bench import Scale
from tests.perf.goals import PROMISES, Figure, Goal
from tests.perf.load import CLIENT_PROCESSES, SOURCE_ROOT

LATEST = SOURCE_ROOT / "tests" / "perf" / "results" / "latest.json"

ROUNDS_MIN = 5
VERDICTS = {True: "[green]met[/]", False: "[bold red]not met[/]", None: "[yellow]not measured[/]"}

Results = dict[str, dict[str, Any]]


def environment(settings: Mapping[str, str], scale: Scale) -> dict[str, Any]:
    """Return the machine and its state. settings: PostgreSQL's."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD") or "unknown",
        "is_changed_since_commit": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("grpcio", "protobuf", "asyncpg", "uvloop")},
        "postgresql": dict(settings),
        "generator": f"{CLIENT_PROCESSES} processes of grpc.aio, closed loop",
        "rounds": scale.rounds,
        "seconds_per_round": scale.seconds,
    }


def told(name: str, figure: Figure, where: Mapping[str, Any]) -> dict[str, Any]:
    """Return one figure in the form of latest.json. where: the environment of its measurement."""
    result = figure.as_json(name)
    result["detail"]["environment"] = dict(where)
    return result


def kept(path: Path = LATEST) -> Results:
    """Return earlier results; nothing when they cannot be read."""
    try:
        known: Results = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {name: known[name] for name in PROMISES if name in known}


def keep(results: Results, path: Path = LATEST) -> None:
    """Write the results atomically, in the order of the goals."""
    ordered = {name: results[name] for name in PROMISES if name in results}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    fresh.rename(path)


def table(results: Results) -> Table:
    """Return a table of all figures: median, range of rounds, goal, whether it is met, and raw numbers."""
    made = Table(header_style="dim", pad_edge=False, caption=_caption(results))
    made.add_column("", no_wrap=True)
    made.add_column("what")
    made.add_column("value", justify="right", no_wrap=True)
    made.add_column("min – max", justify="right", style="dim", no_wrap=True)
    made.add_column("goal", no_wrap=True)
    made.add_column("", no_wrap=True)
    for name, promise in PROMISES.items():
        if name not in results:
            continue
        detail = results[name]["detail"]
        verdict = VERDICTS[results[name]["met"]]
        lines = [_cells(results[name], goal) for goal in promise.goals]
        if promise.goals[0].part:
            made.add_row(name, promise.title, "", "", "", verdict)
        else:
            made.add_row(name, promise.title, *lines.pop()[1:], verdict)
        for line in lines:
            made.add_row("", *line, "")
        below = _short(detail.get("not_measured") or detail.get("briefly", ""))
        made.add_row("", f"  [dim]{below}[/]", "", "", "", "", end_section=True)
    return made


def _cells(result: Mapping[str, Any], goal: Goal) -> tuple[str, str, str, str]:
    value, spread = result["value"], result["detail"]["spread"]
    if goal.part:
        value, spread = value[goal.part], spread.get(goal.part)
    if value is None or spread is None:
        return f"  {goal.part}", "–", "", goal.text
    lowest, highest = _number(spread["min"]), _number(spread["max"])
    return f"  {goal.part}", _number(value), f"{lowest} – {highest}", goal.text


def _caption(results: Results) -> str:
    """Return the environment of the latest figure."""
    environments = [
        one["detail"]["environment"] for one in results.values() if "environment" in one["detail"]
    ]
    if not environments:
        return ""
    here = environments[-1]
    loads = [one["load_average"][0] for one in environments]
    caption = (
        f"{here['cores']} cores, {here['cpu']}; load {min(loads):g} to {max(loads):g};"
        f" PostgreSQL {here['postgresql']['server_version']}, fsync {here['postgresql']['fsync']};"
        f" Python {here['python']}, grpcio {here['grpcio']}; commit {here['commit']}"
    )
    if here["is_changed_since_commit"]:
        caption += " and changes"
    if here["rounds"] < ROUNDS_MIN:
        caption += f"; fewer than {ROUNDS_MIN} rounds: for trying only"
    return caption


def _number(value: float) -> str:
    """Format three significant digits; a shared machine gives no more precision."""
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _short(reason: str) -> str:
    line = " ".join(reason.split()).replace("[", r"\[")
    return line if len(line) <= 110 else f"{line[:109]}…"


def _git(*arguments: str) -> str:
    try:
        told = subprocess.run(
            ["git", *arguments], cwd=SOURCE_ROOT, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
