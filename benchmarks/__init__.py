"""Speed beside peers: `python -m benchmarks` runs everything, prints it, and writes `build/bench/`."""
