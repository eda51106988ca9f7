"""Rows of images that were loaded under a name, and what of the layers on disk is wanted. Holds its own SQL."""

import json

from undercast.core.record import record
from undercast.services.lambda_.images.manifest import Image
from undercast.services.lambda_.images.use import ImageUse
from undercast.services.lambda_.models import FAILED
from undercast.store.database import Row, Tx


@record
class Loaded:
    """An image of `undercast images load`. It holds one reference to the blob of its manifest."""

    name: str
    image: Image
    loaded_at: float


def find(tx: Tx, names: tuple[str, ...]) -> Loaded | None:
    """The first of the names that there is."""
    for name in names:
        row = tx.one("SELECT * FROM lambda_image WHERE name = ?", (name,))
        if row is not None:
            return _loaded(row)
    return None


def listed(tx: Tx) -> list[Loaded]:
    """All of them by name."""
    return [_loaded(row) for row in tx.all("SELECT * FROM lambda_image ORDER BY name")]


def put(tx: Tx, loaded: Loaded) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_image (name, image, loaded_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET image = excluded.image, loaded_at = excluded.loaded_at",
        (loaded.name, json.dumps(loaded.image.as_json()), loaded.loaded_at),
    )


def delete(tx: Tx, name: str) -> None:
    """Remove the name."""
    tx.execute("DELETE FROM lambda_image WHERE name = ?", (name,))


def use_of(tx: Tx, digest: str) -> ImageUse | None:
    """The image with this digest, as some function version has it."""
    row = tx.one("SELECT image FROM lambda_version WHERE code_sha256 = ? AND image <> '' LIMIT 1", (digest,))
    return ImageUse.from_row(row["image"]) if row else None


def wanted_layers(tx: Tx) -> frozenset[str]:
    """The diff ids of all layers that a name or a function version has; one that has failed is as good as without."""
    images = [loaded.image for loaded in listed(tx)]
    for row in tx.all("SELECT DISTINCT image FROM lambda_version WHERE image <> '' AND update_status <> ?", (FAILED,)):
        use = ImageUse.from_row(row["image"])
        images += [use.image] if use is not None else []
    return frozenset(layer.diff_id for image in images for layer in image.layers)


def _loaded(row: Row) -> Loaded:
    return Loaded(name=row["name"], image=Image.from_json(json.loads(row["image"])), loaded_at=row["loaded_at"])
