"""What may be chosen about a stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from devstack.ports import DEFAULT_BASE, SERVICES, Ports


class Parts(Enum):
    """How much of the system to start."""

    ENGINES = "engines"
    OUTSIDE = "engines, simulator and mailbox"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Options:
    """Where a stack lives and how it behaves."""

    data_dir: Path
    port_base: int = DEFAULT_BASE
    parts: Parts = Parts.EVERYTHING
    kafka_nodes: int = 1
    time_scale: float = 1.0
    seed: int = 0
    topic_prefix: str = ""
    service_env: Mapping[str, str] = field(default_factory=dict)  # over what services are given anyway
    respawn: bool = False  # start again what died without being asked to

    def wanted_ports(self) -> dict[int, str]:
        """Port → who needs it."""
        ports = Ports(self.port_base)
        wanted = {ports.postgres: "PostgreSQL"}
        for node in range(self.kafka_nodes):
            wanted |= dict.fromkeys(ports.kafka(node), "Kafka")
        if self.parts is not Parts.ENGINES:
            wanted[ports.simulator] = "the simulator"
            wanted |= dict.fromkeys((ports.mailbox, ports.smtp), "the mailbox")
        if self.parts is Parts.EVERYTHING:
            wanted[ports.shop] = "the shop"
            for service in SERVICES:
                both = (ports.http(service), ports.ops(service))
                wanted |= {port: f"the {service} service" for port in both if port is not None}
        return wanted
