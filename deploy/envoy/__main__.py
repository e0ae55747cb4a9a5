# SPDX-License-Identifier: Apache-2.0
"""`python -m deploy.envoy FOLDER`: writes Envoy's configuration and the files that it names."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from deploy.envoy.configuration import configuration, secrets
from deploy.envoy.descriptors import descriptor_set
from deploy.envoy.settings import EnvoyFiles, EnvoySettings, Site
from meshkit.files import PUBLIC, replace_file

CONFIGURATION = "envoy.yaml"
# The names in deploy/compose.yaml and deploy/kubernetes.
SERVICES = {
    "catalog": "catalog:7001",
    "contract": "contract:7002",
    "ledger": "ledger:7003",
    "alert": "alert:7004",
}
SITES = {"portal": "portal:7005", "edge": "edge:7006"}
TLS_FOLDER = Path("/etc/purser/tls")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def write(settings: EnvoySettings) -> Path:
    """Write all files into the folder; returns the configuration's. Raises ValueError, OSError."""
    files = settings.files
    files.folder.mkdir(parents=True, exist_ok=True)
    contents = {**secrets(files), files.folder / CONFIGURATION: configuration(settings)}
    replace_file(files.descriptors, descriptor_set(), mode=PUBLIC)
    for path, content in contents.items():
        replace_file(path, yaml.safe_dump(content, sort_keys=False, width=120).encode(), mode=PUBLIC)
    return files.folder / CONFIGURATION


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="where Envoy reads them, such as /etc/envoy")],
    service: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=HOST:PORT of a service's port for callers; several times for several replicas"
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            help="portal=DOMAIN or edge=DOMAIN: the host name of its pages, at first portal.* and edge.*"
        ),
    ] = None,
    listen: Annotated[str, typer.Option(help="for callers, with TLS")] = "0.0.0.0:8443",
    status_listen: Annotated[
        str, typer.Option(help="/ready and /stats/prometheus, plain HTTP")
    ] = "0.0.0.0:9901",
    admin_listen: Annotated[
        str, typer.Option(help="Envoy's administration; keep it on loopback")
    ] = "127.0.0.1:9902",
    certificate: Annotated[Path, typer.Option(help="what Envoy shows to callers, PEM")] = TLS_FOLDER
    / "tls.crt",
    key: Annotated[Path, typer.Option(help="its private key, PEM")] = TLS_FOLDER / "tls.key",
    authority: Annotated[
        Path, typer.Option(help="who signs the certificates of the services, PEM")
    ] = TLS_FOLDER / "ca.crt",
    trust_domain: Annotated[
        str, typer.Option(help="the domain in the names of services")
    ] = "purser.internal",
    origin: Annotated[
        list[str] | None,
        typer.Option(help="of pages that may call, such as https://app.example; several times"),
    ] = None,
) -> None:
    """Write envoy.yaml and the files that it names: certificate.yaml, authority.yaml and purser.pb."""
    settings = EnvoySettings(
        files=EnvoyFiles(folder=folder, certificate=certificate, key=key, authority=authority),
        services=_addresses(service or []),
        listen=listen,
        status_listen=status_listen,
        admin_listen=admin_listen,
        trust_domain=trust_domain,
        origins=origin or (),
        sites=_sites(site or []),
    )
    try:
        write(settings)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None


def _addresses(named: list[str]) -> dict[str, list[str]]:
    addresses: dict[str, list[str]] = {}
    for one in named:
        name, _, address = one.partition("=")
        if name not in SERVICES or not address:
            known = ", ".join(SERVICES)
            raise typer.BadParameter(f"{one!r} is not NAME=HOST:PORT, where NAME is one of {known}")
        addresses.setdefault(name, []).append(address)
    return {name: addresses.get(name, [default]) for name, default in SERVICES.items()}


def _sites(named: list[str]) -> dict[str, Site]:
    domains = {name: f"{name}.*" for name in SITES}
    for one in named:
        name, _, domain = one.partition("=")
        if name not in SITES or not domain:
            raise typer.BadParameter(f"{one!r} is not portal=DOMAIN or edge=DOMAIN")
        domains[name] = domain
    return {name: Site(domain=domains[name], address=address) for name, address in SITES.items()}


if __name__ == "__main__":
    app()
