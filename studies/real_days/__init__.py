"""Recorded days at two sites, planned anew step by step by every planner.

record       the days, read once, and the sample of them
day          a day as a planner could have met it
network      what limits a site
rolling      a day lived step by step
contenders   who takes part, and who does not and why
case         the ways a day is run, and the rows that come of it
metrics      what a day was worth, and what of that compares like with like
processes    tasks side by side
done         what is finished, for `--resume`
results      means, differences on the same days, intervals
verdicts     what was aimed at, and whether it was reached
report       the page; figures: what it shows
study        all of it; command: from the command line
"""
