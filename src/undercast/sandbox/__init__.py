"""Execution environments: launcher, drivers, Runtime API, pool. Knows no service (I4)."""
