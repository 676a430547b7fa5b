"""The real Apache Kafka broker, one process a node, without Docker or anything installed."""

import base64
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from devstack.java import java
from devstack.kafka_jars import kafka_jars
from devstack.kafka_probe import brokers_in_service
from devstack.kafka_warm import warm_options
from devstack.ports import HOST, free_ports, is_free
from devstack.process import Process, StackError, wait_until

START_TIMEOUT_S = 120.0  # a machine with two busy cores takes ten times the usual four seconds
STOP_TIMEOUT_S = 20.0
CLUSTER_STOP_TIMEOUT_S = 5.0
TRAINING_TIMEOUT_S = 180.0  # Java writes the cache when the broker ends; 4 s on an idle machine
_LOGGING = Path(__file__).with_name("kafka-log4j2.properties")


@dataclass
class Kafka:
    """A cluster of one or three brokers, each a controller too; data in ``folder``."""

    folder: Path
    ports: list[tuple[int, int]]
    logs: Path
    say: Callable[[str], None] = lambda _: None
    nodes: list[Process] = field(default_factory=list)
    trains: Path | None = None  # a broker that lives only to write this ahead-of-time cache
    _given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{port}" for port, _ in self.ports)

    def start(self) -> None:
        """Every node in service. Formatted storage is kept, so topics and messages are too."""
        for port in (port for pair in self.ports for port in pair):
            if not is_free(port):
                raise StackError(f"port {port} is busy, Kafka needs it")
        jars = kafka_jars(self.say)
        warm = (
            warm_options(_train, self.say) if self.trains is None else [f"-XX:AOTCacheOutput={self.trains}"]
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._require_same_size()
        self.nodes = [self._node(number, jars, warm) for number in range(len(self.ports))]
        self._format(jars)
        for node in self.nodes:
            node.start()
            if self._given_up.is_set():
                self.kill()
        self.wait_in_service(*range(len(self.nodes)))

    def give_up(self) -> None:
        """Makes a ``start`` that is under way in another thread fail soon."""
        self._given_up.set()
        self.kill()

    def wait_in_service(self, *must: int) -> None:
        """Returns when the nodes that live, and those that must, all see each other take requests."""
        living = {place for place, node in enumerate(self.nodes) if node.alive}
        places = living | set(must)

        def in_service(place: int) -> bool:
            return brokers_in_service(HOST, self.ports[place][0]) >= len(places)

        for place in sorted(places):
            wait_until(
                partial(in_service, place),
                what=f"Kafka node {place}",
                timeout_s=START_TIMEOUT_S,
                process=self.nodes[place],
            )

    def stop(self) -> None:
        """Orderly where it can be: logs are closed, the next start has nothing to recover."""
        self._stop(self.nodes)

    def _stop(self, nodes: list[Process]) -> None:
        """All asked at once. In a cluster the last ones would wait for a majority that is gone."""
        for node in nodes:
            node.send(signal.SIGTERM)
        whole_cluster = len(nodes) > 1
        deadline = time.monotonic() + (CLUSTER_STOP_TIMEOUT_S if whole_cluster else STOP_TIMEOUT_S)
        for node in nodes:
            node.stop(max(deadline - time.monotonic(), 0.1))

    def kill(self, node: int | None = None) -> None:
        """SIGKILL to one node, or to all."""
        for process in self.nodes if node is None else [self.nodes[node]]:
            process.kill()

    def restart(self, node: int | None = None) -> None:
        """Starts what was killed or stopped; an orderly stop comes first for what still runs."""
        places = range(len(self.nodes)) if node is None else [node]
        self._stop([self.nodes[place] for place in places])
        for place in places:
            self.nodes[place].start()
        self.wait_in_service(*places)

    def _node(self, number: int, jars: list[Path], warm: list[str]) -> Process:
        options = [*warm, "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        command = self._java(jars, options, "kafka.Kafka", str(self._properties_file(number)))
        log = self.logs / ("kafka.log" if len(self.ports) == 1 else f"kafka-{number}.log")
        return Process(f"kafka-{number}", command, log)

    def _java(self, jars: list[Path], options: list[str], *program: str) -> list[str]:
        """A Java command; the class path in a file, lest every process list drown in it."""
        arguments = self.folder / "java.args"
        class_path = os.pathsep.join(str(jar) for jar in jars)
        arguments.write_text(f'-cp "{class_path}"\n-Dlog4j2.configurationFile="{_LOGGING}"\n')
        return [str(java()), *options, f"@{arguments}", *program]

    def _format(self, jars: list[Path]) -> None:
        """Storage for the nodes that have none, all at once."""
        tool = self._java(jars, ["-XX:TieredStopAtLevel=1"], "kafka.tools.StorageTool", "format")
        running = []
        for number in range(len(self.ports)):
            self._write_properties(number)
            home = self.folder / str(number)
            if (home / "meta.properties").exists():
                continue
            shutil.rmtree(home, ignore_errors=True)
            command = [*tool, "-t", self._cluster_id(), "-c", str(self._properties_file(number))]
            formatting = Process("kafka-format", command, self.logs / "kafka-format.log")
            formatting.start()
            running.append(formatting)
        for formatting in running:
            if formatting.wait(START_TIMEOUT_S) != 0:
                raise StackError(f"Kafka's storage tool failed: {formatting.last_words(2)}")

    def _cluster_id(self) -> str:
        """One id for all nodes, made once. Its first letter is ours: the tool takes a `-` for an option."""
        path = self.folder / "cluster-id"
        if not path.exists():
            drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            path.write_text(f"k{drawn[1:]}")
        return path.read_text()

    def _require_same_size(self) -> None:
        """Storage formatted for one node cannot become a cluster of three."""
        size = self.folder / "nodes"
        if size.exists() and size.read_text() != str(len(self.ports)):
            raise StackError(
                f"{self.folder} holds a cluster of {size.read_text()} Kafka node(s): "
                "start it so, or wipe it with --fresh"
            )
        size.write_text(str(len(self.ports)))

    def _properties_file(self, number: int) -> Path:
        return self.folder / f"node-{number}.properties"

    def _write_properties(self, number: int) -> None:
        lines = [f"{name}={value}\n" for name, value in self._properties(number).items()]
        self._properties_file(number).write_text("".join(lines))

    def _properties(self, number: int) -> dict[str, str | int]:
        broker, controller = self.ports[number]
        voters = ",".join(f"{n}@{HOST}:{port}" for n, (_, port) in enumerate(self.ports))
        copies = len(self.ports)
        in_sync = 2 if copies >= 3 else 1
        return {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{broker},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{broker}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / str(number)),
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # A broker that was killed may come back within seconds, not after 9 s.
            "broker.session.timeout.ms": 1500,
            "broker.heartbeat.interval.ms": 250,
            "log.retention.check.interval.ms": 5000,
            "num.recovery.threads.per.data.dir": 2,
        }


def _train(cache: Path) -> None:
    """Starts and stops a broker of no further use, which leaves its classes in ``cache``."""
    with tempfile.TemporaryDirectory() as scratch:
        first, second = free_ports(2)
        broker = Kafka(Path(scratch), [(first, second)], Path(scratch), trains=cache)
        try:
            broker.start()
            in_order = broker.nodes[0].stop(TRAINING_TIMEOUT_S)
        finally:
            broker.kill()
        if not in_order or not cache.exists():
            raise StackError(f"Java wrote no cache: {broker.nodes[0].last_words()}")
