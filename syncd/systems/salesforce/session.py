"""The session handed to simple-salesforce: it puts in what the library loses, and keeps the reply as it came.

What the library would otherwise get wrong (each has a test): it keeps the token in several places and refreshes it on
its own, without an end and without our headers; it asks for pretty-printed JSON; it takes no time-out for half of its
calls; it forces https; it follows redirects with the token; it reads 300 and 304 as errors and hides the reply.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
from requests.adapters import HTTPAdapter

from syncd.systems.salesforce.auth import Token
from syncd.systems.salesforce.settings import Settings

LARGEST_REPLY: Final = 64 * 1024 * 1024
PLACEHOLDER: Final = "token-is-set-by-the-session"
"""What the library holds instead of a token."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A reply as it came off the wire."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class ReplyTooLargeError(requests.exceptions.RequestException):
    """More than is ever right for one page."""


class Adapter(HTTPAdapter):
    """Sends to the instance of the present token, whatever address the library built, with the present token."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(max_retries=0)
        self._settings = settings
        self.token: Token | None = None
        self.last: Raw | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        token = self.token
        if token is None:
            raise AssertionError("a token comes first")
        home = urlsplit(token.instance_url)
        if urlsplit(request.url or "").netloc.lower() != home.netloc or not self._settings.allows(token.instance_url):
            raise requests.exceptions.InvalidURL("an address outside the connection's own instance")
        request.url = (request.url or "").replace("https://", f"{home.scheme}://", 1)
        request.headers["Authorization"] = f"Bearer {token.value.reveal()}"
        request.headers["Sforce-Call-Options"] = f"client={self._settings.marker}"
        request.headers.pop("X-PrettyPrint", None)
        response = super().send(request, *args, **more)
        body = self._drained(response)
        self.last = Raw(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        # Read from memory from here on. The org's cookies are left behind: they tie a client to a browser's session.
        response.raw = io.BytesIO(body)
        return response

    def _drained(self, response: requests.Response) -> bytes:
        """The whole body, within the whole time: the client bounds only each read."""
        ends = time.monotonic() + self._settings.total_seconds
        pieces, size = [], 0
        try:
            for piece in response.raw.stream(65_536, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > LARGEST_REPLY:
                    raise ReplyTooLargeError("the reply was too large")
                if time.monotonic() > ends:
                    raise requests.exceptions.ReadTimeout("the reply took too long as a whole")
        finally:
            response.raw.release_conn()
        return b"".join(pieces)


class Session(requests.Session):
    """Every call has its time-out, none follows a redirect."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        # With netrc and proxies of the environment a header of ours could be replaced; a proxy is taken on purpose.
        self.trust_env = False
        self.proxies = {} if settings.loopback else dict(getproxies())
        self.verify = settings.ca_file or True
        self.timeouts = (settings.connect_seconds, settings.read_seconds)
        self.adapter = Adapter(settings)
        self.mount("https://", self.adapter)
        self.mount("http://", self.adapter)

    def request(self, method: str, url: str | bytes, *args: Any, **more: Any) -> requests.Response:
        more["timeout"] = more.get("timeout") or self.timeouts
        more["allow_redirects"] = False
        return super().request(method, url, *args, **more)
