# SPDX-License-Identifier: Apache-2.0
"""The manifests: valid by the schemas of Kubernetes, and what those do not see: names that must fit together."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

from deploy.local.database import SERVICES
from meshkit.config import ProcessSettings
from meshkit.rpc.health import LIVENESS, READINESS
from meshkit.rpc.server import STOP_GRACE_SECONDS
from meshkit.rpc.tls import server_name, spiffe_id
from services.ledger.operations.gate import meters
from tests.support.manifests import (
    KUBERNETES,
    Manifest,
    containers,
    manifests,
    named,
    pods,
    ports,
    rendered,
    selects,
)
from tests.support.process_settings import FRONTS, PROCESSES, loaded, names_of

VALIDATOR = Path(sys.executable).with_name("kubernetes-validate")
# The oldest version that has all of it (preStop's sleep), and the newest whose schemas the validator has.
VERSIONS = ("1.30", "1.37")
FOLDERS = ("production", "production/migrations")
# Resources of others, whose schemas the validator does not have.
CUSTOM = ("Certificate", "Issuer")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kMGT]|[KMGT]i)?")
OURS = re.compile(r"\S+/purser@sha256:[0-9a-f]{64}")
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")

in_each_folder = pytest.mark.parametrize("folder", FOLDERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_has_the_fields_of_its_schema(version: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(rendered(folder) for folder in FOLDERS))

    done = subprocess.run(
        [VALIDATOR, "--strict", "-k", version, file], capture_output=True, text=True, check=False
    )

    said = (done.stdout + done.stderr).splitlines()
    unknown = [line for line in said if not re.search(rf"^INFO|for kind ({'|'.join(CUSTOM)}) ", line)]
    assert (done.returncode, unknown) == (0, [])
    assert sum(line.startswith("INFO") for line in said) > 40


def test_every_file_of_the_folders_is_used() -> None:
    named_files = " ".join(file.read_text() for file in KUBERNETES.rglob("kustomization.yaml"))

    for file in KUBERNETES.rglob("*"):
        if file.suffix in (".yaml", ".env") and file.name not in ("kustomization.yaml", "adapter-rules.yaml"):
            assert file.name in named_files, f"{file} is in no kustomization"


@in_each_folder
def test_names_are_those_of_dns_and_quantities_are_numbers_with_units(folder: str) -> None:
    for one in manifests(folder):
        assert NAME.fullmatch(one["metadata"]["name"])
    for name, pod in pods(folder):
        for container in containers(pod):
            limits = [
                *container["resources"]["requests"].values(),
                *container["resources"]["limits"].values(),
            ]
            assert all(QUANTITY.fullmatch(str(one)) for one in limits), name
            assert "memory" in container["resources"]["limits"]
            assert all(0 < port["containerPort"] < 65_536 for port in container.get("ports", ()))


@in_each_folder
def test_every_container_has_no_more_rights_than_it_needs(folder: str) -> None:
    for name, pod in pods(folder):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001  # of the image
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


@in_each_folder
def test_every_image_is_pinned_by_its_digest(folder: str) -> None:
    for _, pod in pods(folder):
        for container in containers(pod):
            is_ours = container["name"] == "purser"
            assert (OURS if is_ours else PINNED).fullmatch(container["image"])


def test_services_and_their_migrations_are_of_one_release() -> None:
    images = {
        container["image"]
        for folder in FOLDERS
        for _, pod in pods(folder)
        for container in containers(pod)
        if container["name"] == "purser"
    }

    assert len(images) == 1


def test_selectors_match_the_pods_that_they_are_for() -> None:
    templates = dict(pods("production"))
    for one in manifests("production", "Deployment"):
        name, labels = one["metadata"]["name"], one["spec"]["template"]["metadata"]["labels"]
        assert selects(one["spec"]["selector"], labels), name
        for constraint in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert selects(constraint["labelSelector"], labels), name
    for kind in ("Service", "PodDisruptionBudget"):
        for one in manifests("production", kind):
            name, stated = one["metadata"]["name"], one["spec"]["selector"]
            selector = stated if "matchLabels" in stated else {"matchLabels": stated}
            matched = {
                pod
                for pod, template in templates.items()
                if selects(
                    selector if "matchLabels" in selector else {"matchLabels": selector},
                    template["metadata"]["labels"],
                )
            }
            assert matched == {name}, f"{kind} {name}"
    assert {one["metadata"]["name"] for one in manifests("production", "PodDisruptionBudget")} == set(
        templates
    )


def test_ports_of_services_are_ports_of_their_pods() -> None:
    templates = dict(pods("production"))
    for one in manifests("production", "Service"):
        open_ports = ports(templates[one["metadata"]["name"]])
        for port in one["spec"]["ports"]:
            behind = open_ports[port["targetPort"]]
            assert port["port"] == (443 if port["targetPort"] == "https" else behind), one["metadata"]["name"]


def test_callers_see_every_replica_of_the_ledger() -> None:
    assert named("production", "Service", "ledger")["spec"]["clusterIP"] == "None"
    assert "clusterIP" not in named("production", "Service", "catalog")["spec"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_probed_at_its_port_for_health_by_the_names_it_knows(service: str) -> None:
    pod = dict(pods("production"))[service]
    [container] = containers(pod)

    probes = {kind: container[f"{kind}Probe"]["grpc"] for kind in ("startup", "liveness", "readiness")}

    assert probes == {
        "startup": {"port": ports(pod)["health"], "service": LIVENESS},
        "liveness": {"port": ports(pod)["health"], "service": LIVENESS},
        "readiness": {"port": ports(pod)["health"], "service": READINESS},
    }


def test_a_pod_gets_the_time_that_its_calls_and_its_way_out_of_the_services_need() -> None:
    for name, pod in pods("production"):
        [container] = pod["spec"]["containers"]
        if container["name"] == "purser":
            drain = ProcessSettings.model_fields["drain_seconds"].default
            assert pod["spec"]["terminationGracePeriodSeconds"] >= drain + STOP_GRACE_SECONDS + 30, name


def test_the_next_replica_stops_only_when_callers_have_had_time_to_find_the_new_one() -> None:
    deployments = manifests("production", "Deployment")

    assert deployments
    for one in deployments:
        if one["metadata"]["name"] != "envoy":
            assert one["spec"]["minReadySeconds"] >= 4, one["metadata"]["name"]


def _environment(folder: str, name: str, pod: Manifest) -> dict[str, str]:
    """Return the variables of a Pod, with a stand-in for each secret."""
    [container] = pod["spec"]["containers"]
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        variables |= named(folder, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", ()):
        if "value" in variable:
            variables[variable["name"]] = variable["value"]
        elif not variable["valueFrom"]["secretKeyRef"].get("optional"):
            variables[variable["name"]] = STAND_INS[variable["valueFrom"]["secretKeyRef"]["key"]]
    return variables


STAND_INS = {
    "secret-keys": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}


def test_every_variable_is_a_setting() -> None:
    known = {name for process in PROCESSES for name in names_of(process)}
    for folder in FOLDERS:
        for name, pod in pods(folder):
            if pod["spec"]["containers"][0]["name"] == "purser":
                assert set(_environment(folder, name, pod)) <= known, name


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_gets_the_settings_that_it_requires_and_listens_where_its_pod_says(
    process: str,
) -> None:
    pod = dict(pods("production"))[process]

    settings: Any = loaded(process, _environment("production", process, pod))

    listens = (
        {"http": settings.listen, "metrics": settings.metrics_listen}
        if process in FRONTS
        else {
            "callers": settings.listen,
            "peers": settings.peer_listen,
            "health": settings.health_listen,
            "metrics": settings.metrics_listen,
        }
    )
    if process == "contract":
        listens["stripe"] = settings.payment_webhook_listen
    assert listens == {name: f"0.0.0.0:{port}" for name, port in ports(pod).items()}


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_job_that_migrates_gets_the_password_of_the_role_that_owns_the_schema(service: str) -> None:
    job, server = dict(pods("production/migrations"))[f"migrate-{service}"], dict(pods("production"))[service]

    serving: Any = loaded(service, _environment("production", service, server))
    variables = _environment("production/migrations", f"migrate-{service}", job)
    migrating: Any = loaded(service, variables, migrates=True)

    assert job["spec"]["containers"][0]["args"] == [f"services.{service}", "migrate"]
    assert migrating.database_url == serving.database_url
    assert make_url(serving.database_url).username == f"purser_{service}_runtime"
    assert make_url(migrating.migration_database_url).username == f"purser_{service}"
    assert _mounted_secret(server, serving.database_password_file) == f"purser-{service}-database"
    assert _mounted_secret(job, migrating.migration_database_password_file) == f"purser-{service}-migration"
    assert "migration" not in str(server["spec"]["volumes"])


def _mounted_secret(pod: Manifest, file: str) -> str:
    """Return the secret whose key `password` a Pod has at this path."""
    folder, _, key = file.rpartition("/")
    assert key == "password"
    [container] = containers(pod)
    [volume] = [one["name"] for one in container["volumeMounts"] if one["mountPath"] == folder]
    [secret] = [one["secret"]["secretName"] for one in pod["spec"]["volumes"] if one["name"] == volume]
    return str(secret)


def test_no_secret_is_written_down() -> None:
    for folder in FOLDERS:
        assert not manifests(folder, "Secret")
    for one in manifests("production", "ConfigMap"):
        assert not [name for name in one["data"] if re.search("PASSWORD$|SECRET|_KEY$", name)]
        urls = [value for value in one["data"].values() if value.startswith("postgresql:")]
        assert not [url for url in urls if make_url(url).password]


def test_replicas_are_left_to_the_autoscaler_of_each_deployment() -> None:
    deployments = {one["metadata"]["name"]: one for one in manifests("production", "Deployment")}
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["minReplicas"]
        for one in manifests("production", "HorizontalPodAutoscaler")
    }

    assert set(scaled) == set(deployments)
    assert all(
        count >= 2 for count in scaled.values()
    )  # a PodDisruptionBudget of one would block every drain
    assert not [name for name, one in deployments.items() if "replicas" in one["spec"]]


@pytest.mark.parametrize("service", SERVICES)
def test_a_certificate_names_its_service_as_its_peers_and_its_callers_know_it(service: str) -> None:
    pod = dict(pods("production"))[service]
    settings: Any = loaded(service, _environment("production", service, pod))

    certificate = named("production", "Certificate", service)["spec"]

    assert certificate["uris"] == [spiffe_id(service, settings.trust_domain)]
    assert certificate["dnsNames"][0] == server_name(service, settings.trust_domain)
    [mounted] = [one["secret"] for one in pod["spec"]["volumes"] if one["name"] == "tls"]
    assert mounted == {"secretName": certificate["secretName"]}
    portal: Any = loaded("portal", _environment("production", "portal", dict(pods("production"))["portal"]))
    host = portal.service_addresses[service].partition(":")[0]
    assert host in certificate["dnsNames"]
    assert named("production", "Service", host)
    namespace = named("production", "Namespace", "purser")["metadata"]["name"]
    assert f"{service}.{namespace}.svc.cluster.local" in certificate["dnsNames"]


def test_fronts_and_the_proxy_get_the_authority_but_no_key_of_a_service() -> None:
    for name in (*FRONTS, "envoy"):
        volumes = dict(pods("production"))[name]["spec"]["volumes"]
        of_services = [
            one["secret"]
            for one in volumes
            if one.get("secret", {}).get("secretName") == "purser-catalog-tls"
        ]
        assert [one["items"] for one in of_services] == [[{"key": "ca.crt", "path": "ca.crt"}]]


def test_the_ledger_is_scaled_by_a_metric_that_it_serves() -> None:
    rules = yaml.safe_load((KUBERNETES / "adapter-rules.yaml").read_text())["rules"]["custom"]
    scaled = named("production", "HorizontalPodAutoscaler", "ledger")["spec"]["metrics"]
    [used] = [one["pods"]["metric"]["name"] for one in scaled if one["type"] == "Pods"]

    [rule] = [one for one in rules if one["name"]["as"] == used]

    queried = set(re.findall(r"(\w+)\{", rule["metricsQuery"] + rule["seriesQuery"]))
    served = {
        f"{family.name}{end}" for family in meters.QUEUE_SECONDS.collect() for end in ("_sum", "_count")
    }
    assert queried == served
