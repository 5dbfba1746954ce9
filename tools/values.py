"""Write docs/values.md from the charts' values and their schemas; `--check` only says whether it is in step.

What a value is for stands once, as a comment in values.yaml; what is allowed stands once, in values.schema.json.
Run it with the environment of `make dev`: `.venv/bin/python tools/values.py`.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "values.md"
CHARTS = ("palio-data", "palio", "palio-operator")

_HEAD = """# Values of the charts
Made from `charts/*/values.yaml` and `values.schema.json` by `tools/values.py`; change it there. Other keys are refused.
"""
_ALIKE = "services"
_KNOWN = {
    "name": "a name", "optionalName": "a name, or empty", "reference": "an image reference, or empty",
    "quantity": "a quantity", "env": "`PALIO_*` or `OTEL_*`: text", "peers": "NetworkPolicy peers",
    "autoscaling": "`enabled`, `min`, `max`, `cpuPercent`",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One key; a section has neither default nor rule."""

    key: str
    default: str
    allowed: str
    says: str

    def line(self) -> str:
        """As Markdown."""
        default = f"`{self.default}`" if self.default else ""
        cells = (f"`{self.key}`", default, self.allowed, self.says)
        return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


@dataclass(frozen=True)
class Chart:
    """A chart's values, with the comments over them, and its schema."""

    lines: list[str]
    schema: dict[str, Any]

    def rows(self) -> Iterator[Row]:
        """Every key, in the order of the file."""
        root = yaml.compose("\n".join(self.lines), Loader=yaml.SafeLoader)
        yield from self._rows(root, self.schema, "")

    def _rows(self, node: Any, schema: dict[str, Any], path: str) -> Iterator[Row]:
        for key, value in node.value:
            name, rule = path + key.value, schema.get("properties", {}).get(key.value, {})
            says = self._comment(key.start_mark.line, key.start_mark.column)
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                if says:
                    yield Row(name, "", "", says)
                yield from self._rows(value, self._resolved(rule), f"{name}.")
            else:
                default = json.dumps(yaml.SafeLoader("").construct_document(value))
                yield Row(name, default, self._allowed(rule), says)

    def alike(self) -> str:
        """What is to be said of blocks that are listed by their differences; nothing if there are none."""
        blocks = self.schema["properties"].get(_ALIKE, {}).get("properties", {})
        keys = {name: self._resolved(rule)["properties"].keys() for name, rule in blocks.items()}
        if not keys:
            return ""
        first = next(iter(keys))
        lacking = [f"`{name}` has no `{key}`." for name in keys for key in sorted(keys[first] - keys[name])]
        return " ".join([f"\nOf `{_ALIKE}` only what differs from `{first}` is listed.", *lacking]) + "\n"

    def _comment(self, line: int, column: int) -> str:
        """The comment that ends over a key, in one line."""
        said: list[str] = []
        mark = " " * column + "#"
        while line and self.lines[line - 1].startswith(mark):
            line -= 1
            said.insert(0, self.lines[line].strip().removeprefix("#").strip())
        return " ".join(said)

    def _resolved(self, rule: dict[str, Any]) -> dict[str, Any]:
        reference = rule.get("$ref", "").rpartition("/")[2]
        resolved: dict[str, Any] = self.schema["$defs"][reference] if reference else rule
        return resolved

    def _allowed(self, rule: dict[str, Any]) -> str:
        known = _KNOWN.get(rule.get("$ref", "").rpartition("/")[2])
        resolved = self._resolved(rule)
        if known:
            return known
        if "enum" in resolved:
            return ", ".join(f"`{json.dumps(value)}`" for value in resolved["enum"])
        if "minimum" in resolved:
            return f"{resolved['minimum']} to {resolved['maximum']}"
        if "pattern" in resolved:
            return f"`{resolved['pattern']}`"
        if resolved.get("type") == "array":
            return f"a list: {self._allowed(resolved['items']) or 'objects'}"
        return {"boolean": "true, false", "string": "text"}.get(resolved.get("type", ""), "")


def _brief(rows: Iterator[Row]) -> Iterator[Row]:
    """Without what a service has in common with the first one."""
    first = ""
    told: dict[str, tuple[str, str]] = {}
    for row in rows:
        section, _, rest = row.key.partition(".")
        name, _, key = rest.partition(".")
        if section == _ALIKE and key:
            first = first or name
            if name != first and not row.says and told.get(key) == (row.default, row.allowed):
                continue
            told.setdefault(key, (row.default, row.allowed))
        yield row


def page() -> str:
    """What docs/values.md should hold."""
    parts = [_HEAD]
    for name in CHARTS:
        folder = ROOT / "charts" / name
        values = (folder / "values.yaml").read_text().split("\n")
        chart = Chart(values, json.loads((folder / "values.schema.json").read_text()))
        table = [
            "| key | default | allowed | what it is |",
            "|---|---|---|---|",
            *(row.line() for row in _brief(chart.rows())),
        ]
        parts.append(f"\n## {name}\n{chart.alike()}\n" + "\n".join(table) + "\n")
    return "".join(parts)


def main() -> None:
    """Write, or check."""
    parser = argparse.ArgumentParser(prog="tools/values.py", description=__doc__)
    parser.add_argument("--check", action="store_true")
    wanted = page()
    if parser.parse_args().check:
        in_step = PAGE.is_file() and PAGE.read_text() == wanted
        sys.exit(None if in_step else "docs/values.md is stale: run `.venv/bin/python tools/values.py`")
    PAGE.write_text(wanted)


if __name__ == "__main__":
    main()
