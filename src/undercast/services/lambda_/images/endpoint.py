"""What `undercast images` asks of the platform: GET, POST and DELETE of `/_undercast/images`.

An archive comes as the request's body and is checked before anything is kept. Who may ask, `gateway/admin.py` decides.
"""

import asyncio
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.services.lambda_.images.faults import ImageError
from undercast.services.lambda_.images.library import Images
from undercast.services.lambda_.images.manifest import Image
from undercast.services.lambda_.images.reference import parse_name

PATH = "/_undercast/images"
_MACHINES = {"aarch64": "arm64"}


async def serve(images: Images, request: HttpRequest) -> Mapping[str, Any]:
    """The answer. Raises ServiceError."""
    if request.method == "GET":
        return {"images": [_shown(loaded.name, loaded.image) for loaded in images.listed()]}
    name = _name(request.query)
    if request.method == "POST":
        return _shown(name, await _load(images, name, request.body))
    if request.method == "DELETE":
        if not await images.unload(name):
            raise ServiceError("NotFound", f"no image is loaded as {name}", 404)
        return {"removed": name}
    raise ServiceError("NotFound", f"no endpoint {request.method} {PATH}", 404)


async def _load(images: Images, name: str, body: BodyStream) -> Image:
    archive = images.scratch()
    machine = platform.machine()
    try:
        await _save(body, archive)
        return await images.load(name, archive, _MACHINES.get(machine, "amd64" if machine == "x86_64" else machine))
    except ImageError as error:
        raise ServiceError("BadRequest", f"this image cannot be loaded: {error}", 400) from error
    except OSError as error:
        raise ServiceError("ServiceException", f"this image cannot be kept: {error.strerror}", 500) from error
    finally:
        await asyncio.to_thread(archive.unlink, missing_ok=True)


async def _save(body: BodyStream, path: Path) -> None:
    with path.open("xb") as file:
        async for piece in body:
            await asyncio.to_thread(file.write, piece)


def _name(query: str) -> str:
    """The one that is asked for, whole. Raises BadRequest."""
    given = parse_qs(query).get("name", [""])[0]
    name = parse_name(given)
    if name is None or name.digest:
        raise ServiceError("BadRequest", f"{given[:200]!r} is not a name such as app:1 or app", 400)
    return name.names[0]


def _shown(name: str, image: Image) -> dict[str, Any]:
    return {"name": name, "digest": f"sha256:{image.digest}", "architecture": image.architecture}
