"""The composition root. Nothing else constructs a part; what cannot be started says what is wrong and what to do.

A start has two steps. `door` takes the data folder and the port: with that the platform is ready. `platform` builds all
that answers, right behind it; requests that come in between wait for it.
"""
