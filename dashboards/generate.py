"""Writes the dashboards (grafana/*.json) and the recording rules: ``python -m dashboards.generate``."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import fleet, host, kafka, process, recording

HERE = Path(__file__).parent
FOLDER = HERE / "grafana"
RECORDING_RULES = HERE / "prometheus" / "recording.rules.yml"
BUILDERS = {"host": host.build, "process": process.build, "kafka": kafka.build, "fleet": fleet.build}
"""Dashboards by file name, without .json."""


def documents() -> dict[str, str]:
    """The text of each dashboard by file name."""
    return {f"{name}.json": _numbered(builder().build()) for name, builder in BUILDERS.items()}


def _numbered(dashboard: object) -> str:
    plain = json.loads(JSONEncoder(sort_keys=True).encode(dashboard))
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files, and delete dashboards that are no longer generated."""
    FOLDER.mkdir(exist_ok=True)
    written = documents()
    for name, text in written.items():
        (FOLDER / name).write_text(text)
    for path in FOLDER.glob("*.json"):
        if path.name not in written:
            path.unlink()
    RECORDING_RULES.write_text(recording.text())


if __name__ == "__main__":
    main()
