"""What the self-test found: a row for each recording in each variant, the verdict, and the text to paste into an issue."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from models.benchmark.machine import Machine

CER_LIMIT = 0.10
BOUNDARY_LIMIT_MS = 30


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One recording in one variant: the text expected and the text recognized; ``error`` where the variant could not be run."""

    variant: str
    recording: str
    expected_language: str
    expected: str
    language: str = ""
    recognized: str = ""
    cer: float | None = None
    tags: str = ""
    error: str = ""

    @property
    def passed(self) -> bool:
        """The language is right and the CER within :data:`CER_LIMIT`."""
        return not self.error and self.cer is not None and self.cer <= CER_LIMIT and self.language == self.expected_language

    def to_dict(self) -> dict[str, Any]:
        """The row, ready for ``json.dumps``."""
        return {**vars(self), "passed": self.passed}


@dataclass(frozen=True, kw_only=True)
class VadRow:
    """The VAD example in one variant: segments expected and found, and the farthest boundary in ms (None: another number of segments)."""

    variant: str
    expected: int
    found: int = 0
    worst_ms: int | None = None
    error: str = ""

    @property
    def passed(self) -> bool:
        """As many segments as expected, every boundary within :data:`BOUNDARY_LIMIT_MS`."""
        return not self.error and self.worst_ms is not None and self.worst_ms <= BOUNDARY_LIMIT_MS

    def to_dict(self) -> dict[str, Any]:
        """The row, ready for ``json.dumps``."""
        return {**vars(self), "passed": self.passed}


@dataclass(frozen=True, kw_only=True)
class SelfTestReport:
    """Every row, and what they were measured on."""

    version: str
    bundle: str
    source: str
    machine: Machine
    threads: int
    texts: tuple[TextRow, ...]
    vad: tuple[VadRow, ...]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.texts) + len(self.vad)

    @property
    def passed_rows(self) -> int:
        """How many of them passed."""
        rows: tuple[TextRow | VadRow, ...] = (*self.texts, *self.vad)
        return sum(row.passed for row in rows)

    @property
    def passed(self) -> bool:
        """Whether every row passed, and there was one."""
        return 0 < self.rows == self.passed_rows

    @property
    def verdict(self) -> str:
        """One sentence."""
        variants = ", ".join(dict.fromkeys(row.variant for row in self.vad))
        found = f"{self.passed_rows} of {self.rows} results of {variants} are as published"
        return f"self-test passed: {found}" if self.passed else f"self-test FAILED: only {found}"

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for ``json.dumps``."""
        return {
            "passed": self.passed,
            "version": self.version,
            "bundle": self.bundle,
            "source": self.source,
            "machine": asdict(self.machine),
            "threads": self.threads,
            "limits": {"cer": CER_LIMIT, "boundary_ms": BOUNDARY_LIMIT_MS},
            "texts": [row.to_dict() for row in self.texts],
            "vad": [row.to_dict() for row in self.vad],
        }

    def to_markdown(self) -> str:
        """The report as text to paste into an issue."""
        lines = [
            f"### LightVoice self-test: {'passed' if self.passed else 'FAILED'} ({self.passed_rows} of {self.rows})",
            "",
            f"LightVoice {self.version}, bundle {self.bundle} ({self.source}); {self.threads} threads; {self.machine}",
            "",
            f"Texts (without ITN; the language must be right, CER at most {CER_LIMIT:.2f}):",
            "",
            "| variant | recording | language | CER | tags | recognized | verdict |",
            "|---|---|---|---|---|---|---|",
            *(_text_line(row) for row in self.texts),
            "",
            f"VAD example (as many segments, boundaries within {BOUNDARY_LIMIT_MS} ms):",
            "",
            "| variant | segments | farthest boundary | verdict |",
            "|---|---|---|---|",
            *(_vad_line(row) for row in self.vad),
        ]
        return "\n".join(lines) + "\n"


def _text_line(row: TextRow) -> str:
    language = row.language if row.language == row.expected_language else f"{row.language or '–'} (not {row.expected_language})"
    cer = "–" if row.cer is None else f"{row.cer:.3f}"
    return _line(row.variant, row.recording, language, cer, row.tags, row.error or row.recognized, _verdict(row.passed))


def _vad_line(row: VadRow) -> str:
    count = str(row.found) if row.found == row.expected else f"{row.found} (not {row.expected})"
    worst = row.error or ("–" if row.worst_ms is None else f"{row.worst_ms} ms")
    return _line(row.variant, count, worst, _verdict(row.passed))


def _line(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |"


def _verdict(passed: bool) -> str:
    return "passed" if passed else "**failed**"
