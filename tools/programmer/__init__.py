"""The clinician programmer: a client library and a command line over any serial port or URL."""
