"""One module a protocol: compile an operation's shapes once into parse and serialize closures."""
