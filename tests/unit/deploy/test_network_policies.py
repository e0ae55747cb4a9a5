# SPDX-License-Identifier: Apache-2.0
"""Who may talk to whom in the cluster is who calls whom by the protos and by the settings."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from deploy.local.database import SERVICES, SOURCE_ROOT
from purser.access.v1 import access_pb2
from purser.sandbox.v1 import clock_pb2
from tests.support.manifests import Manifest, manifests, named, pods, ports, selects
from tests.support.process_settings import FRONTS, settings_of

PROXY = "envoy"
SANDBOX = clock_pb2.DESCRIPTOR.package  # its calls between services do not exist in production


def _called_by_protos() -> set[tuple[str, str]]:
    """Return pairs of a calling and a called service, by the access options of the called one's rpcs."""
    pairs = set()
    for file in (SOURCE_ROOT / "libs" / "purser").rglob("*_pb2.py"):
        module = ".".join(file.relative_to(SOURCE_ROOT / "libs").with_suffix("").parts)
        described = importlib.import_module(module).DESCRIPTOR
        for service in described.services_by_name.values():
            for method in service.methods:
                for caller in method.GetOptions().Extensions[access_pb2.access].peers:
                    if described.package != SANDBOX:
                        pairs.add((caller, described.package.split(".")[1]))
    return pairs


def _policies(pod: str) -> Iterator[Manifest]:
    """Yield the specifications of all policies that concern a Pod."""
    labels = dict(pods("production"))[pod]["metadata"]["labels"]
    for one in manifests("production", "NetworkPolicy"):
        if selects(one["spec"]["podSelector"], labels):
            yield one["spec"]


def _reached(rules: list[Manifest], side: str, numbers: Mapping[str, int]) -> set[tuple[str, int]]:
    """Return the Pods of the namespace on the other side of these rules, and the port. numbers: of named ports."""
    found = set()
    for rule in rules:
        for other in rule.get(side, ()):
            for name, pod in pods("production"):
                if "podSelector" in other and selects(other["podSelector"], pod["metadata"]["labels"]):
                    found |= {(name, numbers.get(port["port"], port["port"])) for port in rule["ports"]}
    return found


@cache
def _allowed() -> tuple[set[tuple[str, str, int]], set[tuple[str, str, int]]]:
    """Return who may send to whom at which port, by the sender's policies and by the receiver's."""
    sent, received = set(), set()
    for name, pod in pods("production"):
        for policy in _policies(name):
            sent |= {(name, to, port) for to, port in _reached(policy.get("egress", []), "to", {})}
            received |= {
                (sender, name, port)
                for sender, port in _reached(policy.get("ingress", []), "from", ports(pod))
            }
    return sent, received


def test_everything_is_forbidden_at_first() -> None:
    spec = named("production", "NetworkPolicy", "nothing-else")["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(spec)
    assert all(selects(spec["podSelector"], pod["metadata"]["labels"]) for _, pod in pods("production"))
    migrations = [pod["metadata"]["labels"] for _, pod in pods("production/migrations")]
    assert all(selects(spec["podSelector"], labels) for labels in migrations)


def test_what_a_sender_may_send_its_receiver_may_receive() -> None:
    sent, received = _allowed()

    assert sent == received


def test_services_reach_each_other_as_their_protos_and_settings_say_and_not_otherwise() -> None:
    peers = {name: ports(pod).get("peers") for name, pod in pods("production")}
    sent, _ = _allowed()

    between = {(sender, to) for sender, to, port in sent if port == peers[to] and sender in SERVICES}

    assert between == _called_by_protos()
    for sender, to in between:
        assert f"{to}_address" in settings_of(sender).model_fields


def test_fronts_and_the_proxy_reach_the_ports_of_callers_only() -> None:
    callers = {name: ports(pod).get("callers") for name, pod in pods("production")}
    sent, _ = _allowed()

    for sender in (*FRONTS, PROXY):
        reached = {(to, port) for one, to, port in sent if one == sender and to in SERVICES}
        assert reached == {(service, callers[service]) for service in SERVICES}, sender


def _outside(pod: str, direction: str) -> list[Any]:
    return [
        (other, port)
        for policy in _policies(pod)
        for rule in policy.get(direction, ())
        for other in rule.get("to" if direction == "egress" else "from", [None])
        for port in rule.get("ports", [{"port": "any"}])
        if other is None or "podSelector" not in other
    ]


def test_only_alert_sends_to_any_port_and_not_to_private_addresses() -> None:
    for service in (*SERVICES, *FRONTS):
        anywhere = [other for other, port in _outside(service, "egress") if port["port"] == "any"]
        assert bool(anywhere) is (service == "alert"), service
    blocks = [other["ipBlock"] for other, port in _outside("alert", "egress") if port["port"] == "any"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(blocks[0]["except"])


def test_only_services_and_migrations_reach_the_database() -> None:
    reach = {
        name
        for folder in ("production", "production/migrations")
        for name, pod in pods(folder)
        for one in manifests("production", "NetworkPolicy")
        if selects(one["spec"]["podSelector"], pod["metadata"]["labels"])
        for rule in one["spec"].get("egress", ())
        if {"port": 5432} in [{"port": port["port"]} for port in rule.get("ports", ())]
    }

    assert reach == {*SERVICES, *(f"migrate-{service}" for service in SERVICES)}
