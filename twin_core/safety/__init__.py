"""The safety envelope, the fallback check and the monitor of measured draws.

- `envelope.py`: the invariant, and the only maker of grants; start reading here.
- `exposure.py`: what one connector may be drawing, and what proves that it no longer does.
- `rows.py`, `sharing.py`, `rationing.py`: the site in numbers, and one decision on them.
- `doubt.py`, `probation.py`: chargers never seen to keep a limit: the room kept for them, and their trial.
- `monitor.py`, `offered.py`: what was measured, against what was granted and what the charger passed on of it.
- `commissioning.py`: sites that cannot be kept safe.
"""
