"""Runtimes as data: identifiers, where their interpreters are found, and how a function of each is started."""
