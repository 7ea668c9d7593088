"""The HTTP service: listening sockets, connections, TLS, authentication, limits, and the answers."""
