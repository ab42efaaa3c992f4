"""The program: site files, wiring, supervision and the command line."""
