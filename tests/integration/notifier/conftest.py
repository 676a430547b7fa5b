import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.ports import free_ports
from tests.integration.notifier.sink import Sink
from tests.integration.notifier.system import System
from tests.servers import Servers, new_database


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that only its holder trusts, and its key."""
    if shutil.which("openssl") is None:
        left_out = "no openssl command: mail over TLS is not tested (install the package openssl)"
        pytest.fail(left_out) if os.environ.get("CI") == "true" else pytest.skip(left_out)
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)
    return chain, key


@pytest.fixture
async def system(test_servers: Servers, topic_prefix: str) -> AsyncIterator[System]:
    """A database, topics and a mail server of this test's own; no notifier runs yet."""
    urls = new_database(test_servers.postgres)
    system = System(urls, test_servers.bootstrap, topic_prefix, Sink(free_ports(1)[0]))
    await system.open()
    yield system
    await system.close()
    test_servers.postgres.drop_database(urls.name)
