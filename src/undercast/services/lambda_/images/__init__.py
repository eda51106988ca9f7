"""Container images as functions' code: read, checked, unpacked, kept (docs/decisions/0051-container-images.md)."""
