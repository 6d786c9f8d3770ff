"""Random lives of a whole pump, judged from outside. `python -m tests.simulation.run --help`."""
