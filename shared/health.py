"""What keeps a service from being ready, said in words; and whether it still makes progress."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """Parts report a problem or none; the service is ready while no part has one.

    `stuck` is worse than not ready: the process should be replaced, so it is no longer *live*.
    """

    problems: dict[str, str] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)

    def report(self, part: str, problem: str | None) -> None:
        if problem is None:
            self.problems.pop(part, None)
        else:
            self.problems[part] = problem

    @property
    def ready(self) -> bool:
        return not self.problems and not self.stuck
