"""What a kernel does to packets, computed from its firewall dumps. Pure: no files, no sockets."""
