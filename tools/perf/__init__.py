"""`itpump perf`: how fast this is, against references measured in the same run."""
