"""Diagnostic bundles: what may be collected, how it is made fit to be given away, and the archive of it."""
