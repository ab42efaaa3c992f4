"""The thesis' three set-ups run again: at its published settings, and at equal delivered energy.

scenario    what a set-up is: TOML files in `scenarios/`, or one of your own
fleet       the cars of a day and the planning problem they make
cars        set-ups (a) Power Allocation and (b) Emission CO2, one seed at a time
cohort      set-up (c), the cohort model as it is written down in 3.3
outcome     what one seed came to, and the medians of many
figures     the thesis' figures
report      what holds and what does not
study       all of it, into one folder
"""
