"""Studies: what the planners are worth, on published models and on recorded days.

prices      hourly day-ahead prices: the Dutch ones of 2015-24, or any CSV
thesis      the three models of the thesis "Digital Twin for Smart Charging Systems", for many seeds
real_days   every planner on recorded days
"""
