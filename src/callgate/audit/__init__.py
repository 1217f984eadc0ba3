"""An audit in progress: what is known of each host, who may reach what, and the outcome of each check."""
