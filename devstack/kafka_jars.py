"""Kafka's jars: fetched once by coordinate, checked against the committed hashes, kept per user."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from devstack.process import StackError

LOCK = Path(__file__).with_name("kafka-jars.lock")
WANTED = (
    ("org.apache.kafka", "kafka_2.13", "4.3.1"),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),  # without it Kafka logs nothing
)
_DOWNLOADS_AT_ONCE = 6
_MAVEN_TIMEOUT_S = 300
_HEADER = (
    "# Apache Kafka and all that it needs to run: group:artifact:version and its jar's sha256.\n"
    "# Made by `python -m devstack.kafka_jars`; each jar is checked against it before use.\n"
)


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> Path:
        """Where every Maven repository keeps it."""
        return Path(*self.group.split("."), self.artifact, self.version, self.filename)

    def is_intact(self, path: Path) -> bool:
        return path.is_file() and _sha256(path) == self.sha256


def cache_folder() -> Path:
    """PAYSTREAM_CACHE_DIR, else the user's own cache: a second clone downloads nothing."""
    if chosen := os.environ.get("PAYSTREAM_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paystream"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            coordinate, _, digest = line.partition(" sha256:")
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, digest))
    return jars


def kafka_jars(say: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Every locked jar as a verified file; downloads what is missing, whoever comes first."""
    jars = locked_jars()
    folder = cache_folder() / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        missing = [jar for jar in jars if not jar.is_intact(folder / jar.filename)]
        if missing:
            say(f"fetching Kafka: {len(missing)} jars, once for this user")
            _fetch(missing, folder)
    return [folder / jar.filename for jar in jars]


def _fetch(jars: list[Jar], folder: Path) -> None:
    """From the local Maven repository, else over the network by jgo, else by mvn."""
    problems: list[str] = []
    for source in (_from_local_repository, _from_jgo, _from_maven):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                found = source(jars, Path(scratch))
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                problems.append(str(error).strip().splitlines()[-1][:200])
                continue
            for jar, path in found:
                if not jar.is_intact(path):
                    problems.append(f"{jar.filename} is not the file that was locked")
                    continue
                shutil.copyfile(path, Path(scratch) / "checked")
                (Path(scratch) / "checked").replace(folder / jar.filename)
        jars = [jar for jar in jars if not (folder / jar.filename).exists()]
        if not jars:
            return
    reason = problems[0] if problems else "no source has them"
    raise StackError(f"Kafka's jars could not be fetched; is there a network? ({reason})")


def _from_local_repository(jars: list[Jar], _scratch: Path) -> Iterable[tuple[Jar, Path]]:
    repository = Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")
    places = [(jar, repository / jar.repository_path) for jar in jars]
    return [(jar, path) for jar, path in places if jar.is_intact(path)]


def _from_jgo(jars: list[Jar], scratch: Path) -> Iterable[tuple[Jar, Path]]:
    from jgo.maven import MavenContext  # noqa: PLC0415 - only the first start needs it

    repository = MavenContext(repo_cache=scratch, timeout=30)

    def resolve(jar: Jar) -> tuple[Jar, Path]:
        project = repository.project(jar.group, jar.artifact)
        return jar, project.at_version(jar.version).artifact().resolve()

    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        return list(pool.map(resolve, jars))


def _from_maven(jars: list[Jar], scratch: Path) -> Iterable[tuple[Jar, Path]]:
    """With mvn, which knows a company's mirrors from its own settings."""
    if shutil.which("mvn") is None:
        raise OSError("no mvn on this machine either")
    exclusions = (
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    )
    listed = "".join(
        f"<dependency><groupId>{jar.group}</groupId><artifactId>{jar.artifact}</artifactId>"
        f"<version>{jar.version}</version>{exclusions}</dependency>"
        for jar in jars
    )
    pom = scratch / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>paystream</groupId>"
        f"<artifactId>kafka</artifactId><version>1</version><dependencies>{listed}</dependencies></project>"
    )
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command.append(f"-DoutputDirectory={scratch}")
    subprocess.run(command, check=True, capture_output=True, timeout=_MAVEN_TIMEOUT_S)
    return [(jar, scratch / jar.filename) for jar in jars]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock(lock: Path = LOCK) -> int:
    """Resolves WANTED anew and writes what it found; for whoever raises Kafka's version."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above
    from jgo.maven._core import Dependency  # noqa: PLC0415 - jgo names it nowhere else

    lines: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        repository = MavenContext(repo_cache=Path(scratch))
        for group, artifact, version in WANTED:
            # One by one: together, the one's list of managed versions would rule the other's.
            jar = repository.project(group, artifact).at_version(version).artifact()
            own, needed = repository.resolver.resolve([Dependency(jar)])
            for dependency in [*own, *needed]:
                name = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
                lines.add(f"{name} sha256:{_sha256(dependency.artifact.resolve())}\n")
    lock.write_text(_HEADER + "".join(sorted(lines)))
    return len(lines)


if __name__ == "__main__":
    print(f"{write_lock()} jars locked in {LOCK.name}")  # noqa: T201 - a command's answer
