"""What the layers below the application add to the ASGI scope."""

CONNECTION = "copy_exporter.connection"
"""Key of the ASGI scope: the client's :class:`~exporter.web.connections.Connection`."""
KEEP_STREAMING = "copy_exporter.keep_streaming"
"""Key of the ASGI scope: a function that grants the connection time until the client has received the next event."""
IS_AUTHORIZED = "copy_exporter.is_authorized"
"""Key of the ASGI scope: a coroutine function that returns whether the request would still be authorized now."""
