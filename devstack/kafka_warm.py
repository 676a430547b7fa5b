"""Quick starts: the broker's classes, loaded and linked once, kept for every later start.

Java 25 keeps them in an ahead-of-time cache. Measured: a start takes 2.3 s of processor time
instead of 6.1 s, which is what counts when tests start many brokers on two cores.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from devstack.java import java_version
from devstack.kafka_jars import LOCK, cache_folder
from devstack.process import StackError

_PAUSE_S = 24 * 3600.0
_OLDEST = 25  # the first Java that makes such a cache in one run


def warm_options(train: Callable[[Path], None], say: Callable[[str], None]) -> list[str]:
    """Java's options that use the cache; none where Java is too old or training failed.

    Trains once for each user, Java and Kafka: ``train`` runs a broker that writes the given file.
    A failure costs nothing but slower starts, and is not tried again the same day.
    """
    version = java_version()
    if int(version.partition(".")[0]) < _OLDEST:
        return []
    key = hashlib.sha256(version.encode() + LOCK.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / "kafka"
    cache, failure = folder / f"broker-{key}.aot", folder / f"broker-{key}.failed"
    with FileLock(folder / ".train.lock"):
        if not cache.exists() and not _is_recent(failure):
            say("preparing quick starts, once for this user")
            draft = folder / f"broker-{key}.draft"
            try:
                train(draft)
                draft.replace(cache)
            except (StackError, OSError) as error:
                failure.write_text(str(error))
    return [f"-XX:AOTCache={cache}"] if cache.exists() else []


def _is_recent(failure: Path) -> bool:
    return failure.exists() and time.time() - failure.stat().st_mtime < _PAUSE_S
