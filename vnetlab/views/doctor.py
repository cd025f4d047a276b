"""What each realm has and lacks, as text (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct


class Check(Struct, frozen=True, kw_only=True):
    """One thing that a realm may have: a feature, a tool, a permission; `remedy`: how to get it."""

    name: str
    present: bool
    needed_for: str
    remedy: str


class Report(Struct, frozen=True, kw_only=True):
    """A realm (or the tools that manage lab kernels), what it is here, and what was checked."""

    realm: str
    what: str
    checks: tuple[Check, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.checks) and all(check.present for check in self.checks)


def render_reports(reports: Iterable[Report]) -> str:
    """A block per report; what is missing comes with the way to get it."""
    return "\n\n".join("\n".join(_block(report)) for report in reports)


def _block(report: Report) -> Sequence[str]:
    width = max((len(check.name) for check in report.checks), default=0)
    lines = [f"{report.realm}: {report.what}"]
    for check in report.checks:
        mark = "ok" if check.present else "MISSING"
        lines.append(f"  {mark:7}  {check.name:{width}}  {check.needed_for}")
        if not check.present:
            lines.append(f"  {'':7}  {'':{width}}  -> {check.remedy}")
    return lines
