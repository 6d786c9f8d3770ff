"""Scenarios: a pump, a plan of what happens to it, and what is expected, in virtual time.

steps, actions what can be done, and the table that reads it
model          the file, read and checked: frozen dataclasses, errors with file and line
measures       the names an expectation can ask for, and how each is read
expect         comparators, exact
transport      the programmer's bytes into an emulated pump, without taking simulated time
runner         does what the file says, in the order its semantics say
command, plot  `itpump simulate`
"""
