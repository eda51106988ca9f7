"""Durable delivery of events: outbox, router, causality. Knows no service (I4)."""
