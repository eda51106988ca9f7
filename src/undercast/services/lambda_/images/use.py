"""The image of a function version, as its row holds it and as AWS shows it. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.record import record
from undercast.sandbox.model import Container
from undercast.services.lambda_.images.manifest import Image


@record
class ImageUse:
    """An image under the name that it was asked for."""

    uri: str
    resolved_uri: str
    image: Image

    def as_row(self) -> str:
        """The text of a column."""
        return json.dumps({"uri": self.uri, "resolved_uri": self.resolved_uri, "image": self.image.as_json()})

    @classmethod
    def from_row(cls, row: str) -> "ImageUse | None":
        """The opposite; "" is a function with a package."""
        if not row:
            return None
        found = json.loads(row)
        image = Image.from_json(found["image"])
        return cls(uri=found["uri"], resolved_uri=found["resolved_uri"], image=image)

    def output(self) -> dict[str, str]:
        """FunctionCodeLocation."""
        return {"RepositoryType": "ECR", "ImageUri": self.uri, "ResolvedImageUri": self.resolved_uri}

    def container(self, configuration: Mapping[str, Any]) -> Container:
        """Its process with a function's ImageConfig: each member takes the place of the image's own."""
        asked = configuration.get("ImageConfigResponse", {}).get("ImageConfig", {})
        entrypoint = asked.get("EntryPoint") or self.image.entrypoint
        command = asked.get("Command") or self.image.command
        return Container(
            command=(*entrypoint, *command),
            working_dir=asked.get("WorkingDirectory") or self.image.working_dir or "/",
            environment=self.image.environment,
        )
