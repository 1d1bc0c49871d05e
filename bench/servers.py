"""The peers' servers: each on loopback, in a folder of its own, durable, ended by the process that was started."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path


class MissingServerError(Exception):
    """A peer cannot be measured here; the message says what is not installed."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextlib.contextmanager
def huey() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        yield f"{folder}/huey-{{}}.db"


@contextlib.contextmanager
def arq() -> Iterator[str]:
    binary = _found("redis-server", "valkey-server")
    port = free_port()
    with _folder() as folder, _server(
        [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes",
         "--appendfsync", "always"], port, folder,
    ):  # fmt: skip
        yield str(port)


@contextlib.contextmanager
def procrastinate() -> Iterator[str]:
    postgres = Path(_found("postgres", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))))).resolve()
    port = free_port()
    with _folder() as folder:
        data, user = folder / "data", _unprivileged(folder)
        subprocess.run(
            [postgres.with_name("initdb"), "-D", data, "-U", "bench", "-A", "trust", "--no-instructions"],
            check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder,
        )  # fmt: skip
        command = [str(postgres), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
        with _server(command, port, folder, user=user, ending=signal.SIGINT):
            yield f"host=127.0.0.1 port={port} user=bench dbname=postgres"


@contextlib.contextmanager
def dramatiq() -> Iterator[str]:
    script = _found("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
    epmd = _found("epmd")
    port, mapper = free_port(), free_port()
    with _folder() as folder:
        environment = {
            **os.environ, "HOME": str(folder), "RABBITMQ_NODENAME": "syncd-bench@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(mapper),
        }  # fmt: skip
        (folder / "plugins").write_text("[].")
        with (
            _server([epmd, "-port", str(mapper), "-address", "127.0.0.1"], mapper, folder, environment=environment),
            _server([script], port, folder, environment=environment, seconds=90),
        ):
            yield f"amqp://guest:guest@127.0.0.1:{port}"


SERVERS: Mapping[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "huey": huey, "dramatiq": dramatiq, "arq": arq, "procrastinate": procrastinate,
}  # fmt: skip


def _found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise MissingServerError(f"{names[0].rsplit('/', 1)[-1]} is not installed")


def _unprivileged(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: somebody else owns the folder then."""
    if os.getuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    shutil.chown(folder, user)
    return user


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sb-", dir=os.environ.get("BENCH_DIR")) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def _server(
    command: list[str], port: int, folder: Path, *, environment: Mapping[str, str] | None = None,
    user: str | None = None, ending: signal.Signals = signal.SIGTERM, seconds: float = 30,
) -> Iterator[None]:  # fmt: skip
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, user=user, cwd=folder, start_new_session=True
        )
    try:
        _wait_for(port, process, folder, seconds)
        yield
    finally:
        # A session of its own: what the server started ends with it, and nothing else does.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    words = (folder / "server.log").read_text(errors="replace")[-500:]
    raise MissingServerError(f"the server did not start: {words.strip()}")
