"""Before and after a change: comparison of snapshots, remedies, guarded change."""
