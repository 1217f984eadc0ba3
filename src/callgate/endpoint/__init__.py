"""What answers on a VoIP port, asked from here or from a vantage host."""
