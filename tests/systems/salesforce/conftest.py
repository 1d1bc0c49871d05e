from __future__ import annotations

from collections.abc import Iterator

import pytest

from .kit import Vendor, served, vendor


@pytest.fixture
def org() -> Iterator[Vendor]:
    with served(vendor()) as one:
        yield one
