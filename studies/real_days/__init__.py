"""Recorded days at two sites, planned anew step by step by every planner."""
