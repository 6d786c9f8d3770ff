"""The conformance kit: does a board at the end of a serial line do what the HAL asks of it?

command      the options, the order of things, the exit code
target       a board under test, and what else can be done to it
line         what the board is, and how good the line to it is
contract     the contract suites of the source tree, run on the board
scenarios    the controller on the board: what must move, and when
checks       one row of the report: expected, measured, tolerance, verdict, hint
report       all rows, for people and as JSON
"""
