"""What the service does: a file per queue, a function per kind."""
