"""The other side of the wire: charge points, vehicles, meters and whole depots."""
