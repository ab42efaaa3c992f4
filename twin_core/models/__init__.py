"""What exists in a depot: quantities, names, events, chargers, vehicles, sessions, the site tree, tariffs and plans."""
