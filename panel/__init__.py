"""The operator panel: one page, one WebSocket."""
