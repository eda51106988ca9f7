"""The composition root. Nothing else constructs a part; what cannot be started says what is wrong and what to do.

A start has steps. `door` takes the data folder and the port: with that the platform is ready. `base` is what every call
of AWS's API needs; then services come one after the other (`behind`), with sandboxes, and at last deliveries and the
platform's own endpoints (`platform`). Requests that come in between wait for what they need.
"""
