"""`undercast runtimes install`: fetches interpreters, SDKs and runtime clients from package registries."""
