"""Brings what is in a project's folders to a platform, through AWS's public API; never imports what serves it."""
