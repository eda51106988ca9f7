"""The function: finds the ciphers that a layer brings by their entry points, and runs each."""

from importlib.metadata import entry_points

TEXT = "This is my super secret text 007!"


def handler(event: dict, context: object) -> dict:
    """Encrypts and decrypts TEXT with every cipher found. Raises LookupError without the layer."""
    found = {entry.name: entry.load() for entry in entry_points(group="cipher_engines")}
    if not found:
        raise LookupError("no cipher in /opt/python: attach the layer")
    result = {"PlainText": TEXT}
    for name, cipher in sorted(found.items()):
        engine = cipher()
        encrypted = engine.encrypt(TEXT)
        result[f"Encrypted{name}"] = encrypted
        result[f"Decrypted{name}"] = engine.decrypt(encrypted)
    return result
