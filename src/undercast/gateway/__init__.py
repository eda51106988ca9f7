"""The front door: sockets, the request pipeline, authorisation, dispatch, the admin endpoints."""
