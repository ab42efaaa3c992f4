"""Studies: questions put to the planners on stated data, answered with numbers, figures and what holds.

prices      hourly day-ahead prices: the Dutch ones of 2015-24, or any CSV
thesis      the three models of the thesis "Digital Twin for Smart Charging Systems", for many seeds
"""
