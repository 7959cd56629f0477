"""Used by all other packages: errors, files, logs, processes, plots."""
