"""Planning problems as people and other programmes write them, and plans as they read them.

- `problem_file`  the schema of a problem, checked field by field
- `reading`       problem files read, and their faults described
- `series`        a number that may change by step: one value, one a step, or one from a time of day on
- `history`       what happened before, as CSV: prices, base load, stays
- `outlook`       scenarios, given or drawn, as planners against the uncertain take them
- `translation`   from the schema to the planner's problem: windows in hours, a cap per node and phase
- `plan_answer`   the schema of a plan
"""
