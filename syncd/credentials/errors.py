"""What can go wrong with a secret. Messages say what, where and what to do, and never hold a secret."""

from __future__ import annotations


class CredentialError(Exception):
    """A secret cannot be had. The message is one line, fit for an operator."""


class MissingSecretError(CredentialError):
    """No backend holds it."""


class BackendRefusedError(CredentialError):
    """A backend would keep secrets in plain text, forget them, or ask at a terminal: it is never used."""


class UnavailableError(CredentialError):
    """The backend is locked, slow or broken. Another one is not tried: it could hold an older secret."""


class TamperedError(CredentialError):
    """A sealed entry or a key is not what was written."""


class ReadOnlyError(CredentialError):
    """There is no backend that can store a secret here."""
