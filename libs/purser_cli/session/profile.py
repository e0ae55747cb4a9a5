# SPDX-License-Identifier: Apache-2.0
"""Profiles: which mesh, and which token. Stored by `purser login` in one file that only its owner may read."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from meshkit.files import PRIVATE, replace_file

SERVICES = ("catalog", "contract", "ledger", "alert")
FIRST_PORT = 7001
DEFAULT = "default"


class ProfileWrong(Exception):
    """A profile, a variable or an option cannot be used; in one line that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to reach one mesh. Empty texts are not set.

    host: NAME or NAME:FIRST_PORT; the four services have four ports from there. addresses: by service, before `host`.
    ca_file: certificates of the mesh's authority; empty: those of the system. is_insecure: plaintext, without a token.
    token, token_file, token_command: where the token comes from, in this order. portal: address of the pages.
    """

    host: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""
    is_insecure: bool = False
    token: str = ""
    token_file: str = ""
    token_command: str = ""
    portal: str = ""

    def over(self, other: "Profile") -> "Profile":
        """Return this profile, completed by another. A token replaces the other's token, whatever it comes from."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)}
        if own.keys() & {"token", "token_file", "token_command"}:
            other = replace(other, token="", token_file="", token_command="")
        if self.host:
            other = replace(other, addresses={})
        addresses = {**other.addresses, **self.addresses}
        return replace(other, **(own | {"addresses": addresses}))

    def address(self, service: str) -> str:
        """Return where a service listens. Raises ProfileWrong."""
        if service in self.addresses:
            return self.addresses[service]
        host, colon, port = (self.host or "127.0.0.1").rpartition(":")
        if not colon or host.endswith(":") or port.endswith("]"):
            host, port = self.host or "127.0.0.1", str(FIRST_PORT)
        if not port.isdigit():
            raise ProfileWrong(f"the host {self.host!r} is not NAME or NAME:FIRST_PORT")
        return f"{host}:{int(port) + SERVICES.index(service)}"


def read(path: Path, name: str) -> Profile:
    """Return a stored profile; an empty one if there is none of the default name. Raises ProfileWrong."""
    stored = _stored(path)
    if name in stored:
        return _profile(stored[name], f"{path}, profile {name}")
    if name == DEFAULT:
        return Profile()
    known = ", ".join(sorted(stored)) or "none"
    raise ProfileWrong(
        f"there is no profile {name!r} (known: {known}); make one: purser login --profile {name}"
    )


def store(path: Path, name: str, profile: Profile) -> None:
    """Store a profile under a name, beside the others. Raises ProfileWrong, OSError."""
    stored = {**_stored(path), name: _plain(profile)}
    text = "# Written by `purser login`.\n"
    for title, settings in sorted(stored.items()):
        text += f"\n[{json.dumps(title)}]\n" + "".join(
            f"{key} = {_toml(one)}\n" for key, one in settings.items()
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(path, text.encode(), mode=PRIVATE)


def remove_token(path: Path, name: str) -> bool:
    """Forget the token of a profile; returns whether it had one. Raises ProfileWrong, OSError."""
    before = read(path, name)
    after = replace(before, token="", token_file="", token_command="")
    if after == before:
        return False
    store(path, name, after)
    return True


def addresses_of(texts: list[str]) -> dict[str, str]:
    """Return addresses by service, from texts such as "ledger=ledger.example.com:443". Raises ProfileWrong."""
    found = {}
    for text in texts:
        service, is_split, address = text.partition("=")
        if not is_split or service not in SERVICES or ":" not in address:
            raise ProfileWrong(f"{text!r} is not SERVICE=HOST:PORT, with a service of {', '.join(SERVICES)}")
        found[service] = address
    return found


def _stored(path: Path) -> dict[str, dict[str, object]]:
    try:
        stored = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProfileWrong(f"{path} cannot be read: {error}") from None
    if not all(isinstance(one, dict) for one in stored.values()):
        raise ProfileWrong(
            f"{path}: every setting belongs below a heading with the profile's name, such as [default]"
        )
    return stored


def _profile(settings: Mapping[str, object], where: str) -> Profile:
    kinds = {one.name: type(getattr(Profile(), one.name)) for one in fields(Profile)}
    for key, one in settings.items():
        if key not in kinds:
            raise ProfileWrong(f"{where}: {key!r} is not one of {', '.join(kinds)}")
        if not isinstance(one, kinds[key]):
            raise ProfileWrong(f"{where}: {key} has the wrong type")
    profile = Profile(**settings)  # type: ignore[arg-type]
    if unknown := profile.addresses.keys() - set(SERVICES):
        raise ProfileWrong(f"{where}: addresses names no service {', '.join(sorted(unknown))}")
    return profile


def _plain(profile: Profile) -> dict[str, object]:
    return {one.name: value for one in fields(profile) if (value := getattr(profile, one.name))}


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    # TOML's basic strings and booleans are written like JSON's.
    return json.dumps(value, ensure_ascii=False)
