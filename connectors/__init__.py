"""Everything that talks to the outside; no connector imports another."""
