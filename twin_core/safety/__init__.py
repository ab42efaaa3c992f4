"""The safety envelope, the fallback check and the monitor of measured draws."""
