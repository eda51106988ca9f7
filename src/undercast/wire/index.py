"""Writes `services.json`, the index of botocore's services that routing reads instead of 439 models.

Rule: run `python -m undercast.wire.index` after a change of botocore; a test compares the file with the installed data.
AWS: the "metadata" of botocore's service-2.json files.
"""

import gzip
import json
from pathlib import Path
from typing import Any

from undercast.wire.model import data_root, protocols_of


def build() -> dict[str, list[Any]]:
    """name -> [folder, apiVersion, signing name, endpoint prefix, target prefix, protocols], newest version each."""
    rows: dict[str, list[Any]] = {}
    for folder in sorted(path for path in data_root().iterdir() if path.is_dir()):
        versions = sorted(path.name for path in folder.iterdir() if (path / "service-2.json.gz").exists())
        if versions:
            raw = gzip.decompress((folder / versions[-1] / "service-2.json.gz").read_bytes())
            rows[folder.name] = [versions[-1], *_row(json.loads(raw)["metadata"])]
    return rows


def _row(metadata: dict[str, Any]) -> list[Any]:
    prefix = metadata["endpointPrefix"]
    signing = metadata.get("signingName") or prefix
    return [metadata["apiVersion"], signing, prefix, metadata.get("targetPrefix", ""), protocols_of(metadata)]


def text(rows: dict[str, list[Any]]) -> str:
    """The file's text: one service a line, so that a diff shows what a new botocore changed."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + lines + "\n}\n"


if __name__ == "__main__":
    Path(__file__).with_name("services.json").write_text(text(build()), encoding="utf-8")
