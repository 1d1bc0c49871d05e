"""Which keyring backends may hold a secret. Everything not known to protect it is refused, with the reason."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from syncd.credentials.errors import BackendRefusedError, UnavailableError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_OS_BACKENDS: Final = frozenset(
    {
        "keyring.backends.SecretService",
        "keyring.backends.libsecret",
        "keyring.backends.kwallet",
        "keyring.backends.macOS",
        "keyring.backends.Windows",
    }
)
"""What detection may come up with. Others work only when they are named in ``credentials.keyring_class``."""

RECIPE: Final = (
    "On a server, give syncd a seal key (systemd credential seal-key, or credentials.seal_key_file); "
    "see docs/credentials.md"
)


def qualified(backend: object) -> str:
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def objection(backend: KeyringBackend, *, named: bool) -> str | None:
    """Why a backend may not be used, or ``None``. ``named``: the operator asked for this very class."""
    full = qualified(backend)
    modules = [kind.__module__ for kind in type(backend).__mro__]
    if any(module.startswith("keyring.backends.fail") for module in modules):
        return "no OS keyring answers here"
    if any(module.startswith("keyring.backends.null") for module in modules):
        return f"{full} forgets what it is given"
    if any(module == "keyrings.alt" or module.startswith("keyrings.alt.") for module in modules):
        return f"{full} comes from keyrings.alt, whose stores are plain text or not authenticated"
    if any("plaintext" in kind.__qualname__.lower() for kind in type(backend).__mro__):
        return f"{full} keeps secrets in plain text"
    if any(module.startswith("keyring.backends.chainer") for module in modules):
        return _chain_objection(backend, named=named)
    if not named and not _is_os_backend(type(backend)):
        return f"{full} is no OS keyring; to use it all the same, name it in credentials.keyring_class"
    return None


def _is_os_backend(kind: type) -> bool:
    module = kind.__module__
    return any(module == one or module.startswith(f"{one}.") for one in _OS_BACKENDS)


def _chain_objection(backend: KeyringBackend, *, named: bool) -> str | None:
    members = list(getattr(backend, "backends", ()))
    if not members:
        return "no OS keyring answers here"
    for member in members:
        reason = objection(member, named=named)
        if reason:
            return f"the chain of keyrings would also use one that is refused: {reason}"
    return None


def named_backend(name: str) -> KeyringBackend:
    """The backend class of that full name, made. Raises :class:`BackendRefusedError`."""
    from keyring.backend import KeyringBackend

    module, _, kind = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError, ValueError):
        raise BackendRefusedError(
            f"credentials.keyring_class: there is no keyring backend {name}; is its package installed?"
        ) from None
    if not (isinstance(found, type) and issubclass(found, KeyringBackend)):
        raise BackendRefusedError(f"credentials.keyring_class: {name} is not a keyring backend")
    try:
        backend = found()
    except Exception as error:  # noqa: BLE001 - backends of others raise what they like
        raise UnavailableError(f"the keyring backend {name} does not start: {type(error).__name__}") from None
    reason = objection(backend, named=True)
    if reason:
        raise BackendRefusedError(f"credentials.keyring_class: {reason}. {RECIPE}")
    return backend


def detected_backend() -> KeyringBackend:
    """The OS keyring that the keyring library finds. Raises :class:`BackendRefusedError`."""
    import keyring

    try:
        backend = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - backends of others raise what they like
        raise UnavailableError(f"the keyring library finds no backend: {type(error).__name__}") from None
    reason = objection(backend, named=False)
    if reason:
        raise BackendRefusedError(f"{reason}. {RECIPE}")
    return backend
