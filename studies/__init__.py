"""Studies: what the planners are worth, on published models and on recorded days."""
