"""Settings of the credential backends for tests, and keyrings that misbehave."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.compat import properties

CANARY = "hunter2-correct-horse-battery"
KEY = bytes(range(32))


@dataclass(frozen=True)
class Settings:
    order: Sequence[str] = ("file", "systemd", "sealed", "keyring")
    keyring_class: str = ""
    seal_key_file: str = ""
    sealed_dir: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    allow_env_secrets: bool = False
    timeout: float = 5.0


def key_file(folder: Path, key: bytes = KEY) -> str:
    path = folder / "seal.key"
    path.write_bytes(base64.b64encode(key) + b"\n")
    path.chmod(0o400)
    return str(path)


def sealed(folder: Path, **more: object) -> Settings:
    return Settings(order=("sealed",), seal_key_file=key_file(folder), sealed_dir=str(folder / "sealed"), **more)  # type: ignore[arg-type]


def private(path: Path, text: str, mode: int = 0o400) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


AS_ROOT = os.geteuid() == 0


class Quiet(KeyringBackend):
    """Keeps the library from choosing any of these by itself."""

    @properties.classproperty
    def priority(self) -> float:
        raise RuntimeError("for tests only")

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Decent(Quiet):
    """A third-party keyring that an operator may name."""


class PlaintextKeyring(Quiet):
    pass


class Talkative(Quiet):
    """Repeats what it was given in its error."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"could not store {password}")

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(f"could not read {CANARY}")


class KeyringLocked(Exception):  # noqa: N818 - the library's own name
    pass


class Locked(Quiet):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the collection is locked")


class FromAlt(Quiet):
    pass


FromAlt.__module__ = "keyrings.alt.file"


class Chain(Quiet):
    backends: Sequence[KeyringBackend] = ()


Chain.__module__ = "keyring.backends.chainer"


class DecentOs(Quiet):
    pass


DecentOs.__module__ = "keyring.backends.SecretService"
