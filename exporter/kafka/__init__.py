"""Kafka brokers: find them, read their configuration, and count their bytes by listener and by topic."""
