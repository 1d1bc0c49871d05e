"""Secrets: where they may be kept, in which order they are looked for, and what is refused."""

from syncd.credentials.errors import (
    BackendRefusedError,
    CredentialError,
    MissingSecretError,
    ReadOnlyError,
    TamperedError,
    UnavailableError,
)
from syncd.credentials.store import Credentials, open_credentials, write_seal_key

__all__ = [
    "BackendRefusedError",
    "CredentialError",
    "Credentials",
    "MissingSecretError",
    "ReadOnlyError",
    "TamperedError",
    "UnavailableError",
    "open_credentials",
    "write_seal_key",
]
