"""The safety envelope, the fallback check and the monitor of measured draws.

- `envelope.py`: the invariant, and the only maker of grants; start reading here.
- `exposure.py`: what one connector may be drawing, and what proves that it no longer does.
- `rows.py`, `sharing.py`, `rationing.py`: the site in numbers, and one decision on them.
- `monitor.py`: what was measured, against what was granted.
- `commissioning.py`: sites that cannot be kept safe.
"""
