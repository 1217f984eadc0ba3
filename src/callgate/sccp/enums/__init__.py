"""The values that SCCP fields take. A value without a name stays a plain int."""
