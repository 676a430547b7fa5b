"""Which errors a message can have caused; all others are infrastructure and park nothing."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.database import WrongIsolation, cancelled_statement, caused_by_message, sqlstate
from shared.errors import Malformed, OutcomeUnknown, Rejected, Unavailable


def database_error(state: str) -> DBAPIError:
    """As SQLAlchemy hands on what the server said."""
    said = asyncpg.PostgresError.new({"C": state, "M": "said the server", "S": "ERROR"})
    outer = Exception("the adapter's")
    outer.__cause__ = said
    return DBAPIError("SELECT 1", {}, outer)


@pytest.mark.parametrize("state", ["21000", "22001", "22021", "22P02", "23502", "23505", "23514", "54000"])
def test_bad_data_and_constraints_are_the_messages_fault(state: str) -> None:
    error = database_error(state)
    assert sqlstate(error) == state
    assert caused_by_message(error)


@pytest.mark.parametrize(
    "state",
    ["08006", "0A000", "25006", "25P03", "28P01", "3D000", "40001", "40P01", "42501", "42703", "42P01",
     "53100", "53300", "55P03", "57014", "57P01", "57P03", "58030", "XX000", "P0001"],
)  # fmt: skip
def test_every_other_sqlstate_is_infrastructure(state: str) -> None:
    assert not caused_by_message(database_error(state))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        InterfaceError("SELECT 1", {}, Exception("no sqlstate")),
        OperationalError("SELECT 1", {}, Exception("no sqlstate")),
        StatementError("no sqlstate", "SELECT 1", {}, Exception()),
        PoolTimeoutError("no connection free"),
        Unavailable("elsewhere-away"),
        WrongIsolation("serializable"),
        MemoryError(),
    ],
)
def test_errors_without_sqlstate_are_infrastructure(error: Exception) -> None:
    assert not caused_by_message(error)


@pytest.mark.parametrize(
    "error",
    [ValueError(), KeyError("a"), TypeError(), RecursionError(), Rejected("a-rule"), Malformed("x"),
     OutcomeUnknown("x"), AssertionError(), ZeroDivisionError()],
)  # fmt: skip
def test_a_decider_that_raised_is_to_blame(error: Exception) -> None:
    assert caused_by_message(error)


def test_only_57014_is_a_statement_that_ran_into_its_limit() -> None:
    assert cancelled_statement(database_error("57014"))
    assert not cancelled_statement(database_error("57P01"))
    assert not cancelled_statement(TimeoutError())
