"""Other people's planners, asked the same questions in the same run."""
