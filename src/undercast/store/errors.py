"""What the store can refuse. Each text says what to do.

These reach the user at start-up through the CLI; they are no AWS errors.
"""


class StoreError(Exception):
    """The root of the store's own errors."""


class FolderInUse(StoreError):
    """Another process holds the data folder."""


class NewerData(StoreError):
    """The data was written by a newer version of the program."""


class BlobMissing(StoreError):
    """No blob has this id: it was released, or never stored."""
