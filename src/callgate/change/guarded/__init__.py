"""A guarded change: applied under a timer on the host, verified, and confirmed or rolled back."""
