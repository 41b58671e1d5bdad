"""Engines: what can carry a wave of nets forward by some steps. `choice` chooses one; nobody else knows more than the interface."""
