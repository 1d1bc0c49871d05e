"""Reading and replacing small private files: permissions are checked, and a replacement is whole or absent."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from syncd.credentials.errors import TamperedError, UnavailableError

MAX_BYTES: Final = 256 * 1024


def read_private(path: Path, what: str, *, trusted_folder: bool = False) -> bytes:
    """The bytes of a file that only its owner can read. ``what`` names it in errors.

    A mounted secret may belong to root; otherwise it must be ours. In a ``trusted_folder`` (systemd's, which guards
    its files by other means) the mode is not looked at. Raises :class:`UnavailableError`, or ``FileNotFoundError``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{what} cannot be read at {path}: {_reason(error)}") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise UnavailableError(f"{what} at {path} is not a regular file")
        if not trusted_folder:
            _check_owner(found, path, what)
        body = b""
        while len(body) <= MAX_BYTES and (part := os.read(handle, MAX_BYTES + 1 - len(body))):
            body += part
    except OSError as error:
        raise UnavailableError(f"{what} cannot be read at {path}: {_reason(error)}") from None
    finally:
        os.close(handle)
    if len(body) > MAX_BYTES:
        raise UnavailableError(f"{what} at {path} is larger than 256 KiB; is it the right file?")
    return body


def _check_owner(found: os.stat_result, path: Path, what: str) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise UnavailableError(f"{what} at {path} has mode {mode:04o}: others can reach it. Run: chmod 0400 {path}")
    if found.st_uid not in {os.geteuid(), 0}:
        raise UnavailableError(f"{what} at {path} belongs to user {found.st_uid}, not to the one syncd runs as")


def private_folder(path: Path, what: str) -> None:
    """Make the folder, or check that nobody else can reach it. Raises :class:`UnavailableError`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise UnavailableError(f"{what} at {path} cannot be used: {_reason(error)}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise UnavailableError(f"{what} at {path} is not a folder")
    if found.st_uid != os.geteuid():
        raise UnavailableError(f"{what} at {path} belongs to user {found.st_uid}, not to the one syncd runs as")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise UnavailableError(f"{what} at {path} has mode {mode:04o}: others can reach it. Run: chmod 0700 {path}")


def replace_private(path: Path, body: bytes, what: str) -> None:
    """Put ``body`` at ``path`` with mode 0600: old or new after a crash at any moment, never a mixture.

    Raises :class:`UnavailableError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise UnavailableError(f"{what} cannot be written to {path.parent}: {_reason(error)}") from None


def sync_folder(path: Path) -> None:
    """Make a rename or removal in the folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def text_of(body: bytes, what: str) -> str:
    """A secret's text without the newline that editors and ``echo`` add. Raises :class:`TamperedError`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise TamperedError(f"{what} is not UTF-8 text") from None
    return text.rstrip("\r\n")


def _reason(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a usable path"
