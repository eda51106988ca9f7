"""The launcher: the single-threaded process that makes namespaces. Runs in any Python >= 3.8; stdlib only."""
