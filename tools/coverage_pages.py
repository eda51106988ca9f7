"""Writes docs/services/*.md from the manifests: supported, stored, refused, missing, known differences.

`--check` writes nothing and exits 1 when a page is not what the manifests say.
"""

import sys
from pathlib import Path

import botocore.session
from botocore.model import ServiceModel

from undercast.core.service import Manifest
from undercast.services.registry import discover

PAGES = Path(__file__).resolve().parent.parent / "docs" / "services"


def page(manifest: Manifest, model: ServiceModel) -> str:
    """One service's coverage page in Markdown."""
    served = sorted(manifest.operations)
    missing = sorted(set(model.operation_names) - set(served))
    title = model.metadata.get("serviceId", manifest.name)
    lines = [
        f"# {title}",
        "",
        "Generated from the service's manifest by `make docs`. An operation that is missing, and a refused parameter,",
        "answer with an error that names them.",
        "",
        f"## Supported: {len(served)} of {len(model.operation_names)} operations",
        "",
    ]
    lines += [_row(manifest, name) for name in served]
    lines += ["", "## Known differences from AWS", ""]
    lines += [f"- {text}" for text in manifest.differences] or ["- none known"]
    lines += ["", "## Missing operations", "", ", ".join(f"`{name}`" for name in missing) or "none", ""]
    return "\n".join(lines)


def _row(manifest: Manifest, name: str) -> str:
    stored = manifest.stored.get(name, {})
    refused = manifest.refused.get(name, {})
    lines = [f"- `{name}`"]
    lines += [f"  - `{member}` is stored, inert here: {reason}" for member, reason in sorted(stored.items())]
    lines += [f"  - `{member}` is refused: {reason}" for member, reason in sorted(refused.items())]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    session = botocore.session.get_session()
    stale: list[str] = []
    for manifest in discover():
        path = PAGES / f"{manifest.name}.md"
        text = page(manifest, session.get_service_model(manifest.name))
        if "--check" in arguments:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
            continue
        PAGES.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if stale:
        print(f"docs/services: {', '.join(stale)} do not say what the manifests say; run: make docs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
