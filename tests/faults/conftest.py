"""One installation for all tests that leave it running."""

from collections.abc import Iterator

import pytest

from tests.factories.web import free_port
from tests.faults.installation import Installation, forget, started

__all__ = ["Installation", "installation"]


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation") / "data"
    try:
        with started(folder, free_port()) as made:
            yield made
    finally:
        forget(folder)
