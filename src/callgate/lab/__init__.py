"""Test hosts in network namespaces: a PBX between a trusted network and strangers, with real servers on it."""
