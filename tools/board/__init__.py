"""`itpump board`: the emulated board alone, at the far end of a serial line."""
