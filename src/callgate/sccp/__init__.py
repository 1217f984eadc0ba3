"""SCCP ("Skinny"), sans-IO: bytes in, meaning out; no sockets."""
