"""Packet captures: frames in, conversations out; nothing is read from the network."""
