"""Programs for people: the `itpump` command and what it is made of.

cli            the console script
emulated       composition root: world + emulated board + controller
run, bench     a live pump on a serial port, and its bench socket
programmer     the clinician programmer
scenario       `itpump simulate`
perf, docs     benchmarks, generated pages
"""
