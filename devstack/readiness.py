"""Whether a part of a stack takes work, asked from outside: by its own health address."""

import http.client

from devstack.kafka_probe import brokers_in_service
from devstack.ports import HOST, Ports, answers


def health_address(ports: Ports, name: str) -> tuple[int, str]:
    """Port and path of the readiness check of one named process."""
    own = {
        "simulator": (ports.simulator, "/_sim/health"),
        "mailbox": (ports.mailbox, "/health"),
        "shop": (ports.shop, "/health"),
    }
    if name in own:
        return own[name]
    service, _, instance = name.partition("-")
    return ports.ops(service, int(instance or 1)), "/health/ready"


def is_ready(ports: Ports, name: str) -> bool:
    """True when the named process takes work now."""
    if name == "postgres":
        return answers(ports.postgres)
    if name.startswith("kafka"):
        _, _, number = name.partition("-")
        return brokers_in_service(HOST, ports.kafka(int(number or 0))[0]) > 0
    return get(*health_address(ports, name))[0] == http.client.OK


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a short GET on this machine; 0 when nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
