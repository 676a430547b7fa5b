"""What a person at the command line is told when something they need is not there."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.ports import free_ports
from services.payments.operate.erasing import ask
from shared import desk
from shared.desk import AWAY_CODE, WRONG, reach_kafka, write_out
from shared.envelope import now_utc
from shared.messages.privacy import ErasePersonalData
from shared.privacy.customers import customer_hash, key_check
from shared.publish import Publisher
from shared.settings import KafkaSettings

NOWHERE = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}")
KEY = SecretStr("of the test, long enough")
ASKED = ErasePersonalData(
    request_id="r-1",
    customer=customer_hash("asha@buyer.test", KEY),
    key_check=key_check(KEY),
    order_ids=(),
    asked_at=now_utc(),
    person="kiran",
    reason="ticket 311",
)


async def test_a_command_does_not_wait_for_kafka_for_ever_and_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desk, "KAFKA_WAIT_S", 0.3)
    publisher = Publisher(NOWHERE)
    for command in (reach_kafka(publisher.start()), ask(NOWHERE, ASKED, wait_s=1.0)):
        with pytest.raises(SystemExit) as ended:
            await command
        assert ended.value.code == AWAY_CODE
        assert capsys.readouterr().err.startswith("kafka-away: ")
    await publisher.stop()


def test_a_file_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        write_out(tmp_path / "no" / "such.pdf", b"")
    assert ended.value.code == WRONG
    assert capsys.readouterr().err == f"cannot-write: {tmp_path}/no/such.pdf: No such file or directory\n"
