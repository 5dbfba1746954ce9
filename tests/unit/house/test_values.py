"""docs/values.md is what the charts say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_of_values_is_what_the_charts_say() -> None:
    command = [sys.executable, str(ROOT / "tools" / "values.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
