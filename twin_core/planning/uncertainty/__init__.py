"""Plans against what nobody knows yet, one variant a file, and the table of their names.

Each is a planner that was given scenarios or bounds. Each says in `Plan.reasons.notes` when what it knows cannot change
the schedule: prices enter the cost linearly, so most price risk cannot; departures, arrivals and base load can.
"""
