"""PartiQL: SQL's words for what the other operations do."""
