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
from undercast.services.lambda_.images import sources
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
    given = parse_qs(request.query).get("name", [""])[0]
    if request.method == "POST":
        return await _load(images, given, request.body)
    name = _name(given)
    if request.method == "DELETE":
        if not await images.unload(name):
            raise ServiceError("NotFound", f"no image is loaded as {name}", 404)
        return {"removed": name}
    raise ServiceError("NotFound", f"no endpoint {request.method} {PATH}", 404)


async def _load(images: Images, given: str, body: BodyStream) -> Mapping[str, Any]:
    """Without a name the archive's own is taken."""
    archive = images.scratch()
    machine = platform.machine()
    try:
        if given:
            _name(given)
        await _save(body, archive)
        name = _name(given or await asyncio.to_thread(sources.name_in, archive))
        image = await images.load(name, archive, _MACHINES.get(machine, "amd64" if machine == "x86_64" else machine))
        return _shown(name, image)
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


def _name(given: str) -> str:
    """The name, whole. Raises BadRequest."""
    name = parse_name(given)
    if name is None or name.digest:
        raise ServiceError("BadRequest", f"{given[:200]!r} is not a name such as app:1 or app", 400)
    return name.names[0]


def _shown(name: str, image: Image) -> dict[str, Any]:
    return {"name": name, "digest": f"sha256:{image.digest}", "architecture": image.architecture}
