"""What the run in the virtual machine found, on its way to the tests that judge it: a JSON file.

I/O: the file.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Report:
    """Findings by name, each with what was measured; the file holds all of them at any time."""

    path: Path
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, **figures: Any) -> None:
        """One finding: `wrong` among the figures is a list of what should not be, empty where all is well."""
        self.findings.setdefault(name, {"wrong": []})
        print(f"{name}: {json.dumps(figures)}", flush=True)
        wrong = self.findings[name]["wrong"] + list(figures.pop("wrong", []))
        self.findings[name].update(figures, wrong=wrong)
        self.path.write_text(json.dumps(self.findings, indent=1), encoding="utf-8")
