"""What a benchmark found (pure)."""

from __future__ import annotations

from msgspec import Struct, field


class Target(Struct, frozen=True, kw_only=True):
    """What a measured number should be: at most `most`, at least `least`."""

    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        """Whether `value` is within it."""
        above = self.least is None or value >= self.least
        return above and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        words = ((self.least, "at least"), (self.most, "at most"))
        return ", ".join(f"{word} {limit:g}" for limit, word in words if limit is not None)


class Result(Struct, frozen=True, kw_only=True):
    """One line of the table: a number with its target.

    `medians` are the times in seconds, by who was measured. `value` is None where it could not be
    measured, for the reason in `note`.
    """

    claim: str
    value: float | None = None
    unit: str = "x"
    target: Target = field(default_factory=Target)
    medians: tuple[tuple[str, float], ...] = ()
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the claim holds, in a word."""
        if self.value is None:
            return "skipped"
        if not str(self.target):
            return "stated"
        return "holds" if self.target.holds(self.value) else "missed"


def skipped(claim: str, why: str) -> Result:
    """The line of what could not be measured."""
    return Result(claim=claim, note=why)
