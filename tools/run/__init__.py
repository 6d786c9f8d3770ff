"""`itpump run`: the emulator, live on a serial port."""
