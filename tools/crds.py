"""Copy the resources' definitions from crds/ into the operator's chart; `--check` only says whether they are in step.

Helm neither upgrades nor removes what lies in a chart's own crds/ folder, so the copies are templates.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "crds"
COPIES = ROOT / "charts" / "palio-operator" / "templates" / "crds"

_HEAD = """{{- /* Made from crds/%s by `make crds`; change it there. */}}
{{- if .Values.crds.enabled }}
"""
_METADATA = """metadata:
  labels: {{- include "house.labels" (dict "root" $ "component" "crds") | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations: {helm.sh/resource-policy: keep}
  {{- end }}
"""


def copies() -> dict[str, str]:
    """What the chart should hold: file name → text."""
    return {file.name: _template(file) for file in sorted(SOURCE.glob("*.yaml"))}


def stale() -> list[str]:
    """Copies that are missing, different, or of nothing."""
    wanted = copies()
    held = {file.name: file.read_text() for file in COPIES.glob("*.yaml")}
    return sorted(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))


def _template(file: Path) -> str:
    text = file.read_text()
    if "{{" in text or text.count("\nmetadata:\n") != 1:
        sys.exit(f"{file.name} cannot be made a template")
    return _HEAD % file.name + text.replace("\nmetadata:\n", "\n" + _METADATA, 1) + "{{- end }}\n"


def main() -> None:
    """Copy, or check."""
    parser = argparse.ArgumentParser(prog="tools/crds.py", description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        sys.exit(f"run `make crds`: {', '.join(stale())}" if stale() else 0)
    COPIES.mkdir(exist_ok=True)
    for name in stale():
        if name in copies():
            (COPIES / name).write_text(copies()[name])
        else:
            (COPIES / name).unlink()
        sys.stdout.write(f"{name} copied\n")


if __name__ == "__main__":
    main()
