# SPDX-License-Identifier: Apache-2.0
"""Kubernetes manifests as kubectl renders them, and what tests ask about them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.local.database import SOURCE_ROOT

KUBERNETES = SOURCE_ROOT / "deploy" / "kubernetes"
KUBECTL = Path(sys.executable).with_name("kubectl")
WORKLOADS = ("Deployment", "Job")
Manifest = Mapping[str, Any]


@cache
def rendered(folder: str) -> str:
    """Return the manifests of a folder of deploy/kubernetes, such as "production", as one YAML text."""
    done = subprocess.run(
        [KUBECTL, "kustomize", KUBERNETES / folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "kustomize warns"
    return done.stdout


@cache
def _parsed(folder: str) -> tuple[Manifest, ...]:
    return tuple(yaml.load_all(rendered(folder), yaml.CSafeLoader))


def manifests(folder: str, *kinds: str) -> list[Manifest]:
    """Return the manifests of a folder, of these kinds or of all."""
    return [one for one in _parsed(folder) if not kinds or one["kind"] in kinds]


def named(folder: str, kind: str, name: str) -> Manifest:
    """Return one manifest by its name."""
    [found] = [one for one in manifests(folder, kind) if one["metadata"]["name"] == name]
    return found


def pods(folder: str) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the Pod template of every Deployment and Job."""
    for one in manifests(folder, *WORKLOADS):
        yield one["metadata"]["name"], one["spec"]["template"]


def containers(pod: Manifest) -> list[Manifest]:
    """Return all containers of a Pod, those that run before it included."""
    spec = pod["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def ports(pod: Manifest) -> dict[str, int]:
    """Return the ports of a Pod by name."""
    return {port["name"]: port["containerPort"] for one in containers(pod) for port in one.get("ports", ())}


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches."""
    exact = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return exact and all(
        labels.get(one["key"]) in one["values"] and one["operator"] == "In"
        for one in selector.get("matchExpressions", ())
    )
