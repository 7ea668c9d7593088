"""Kafka brokers: found by their command lines, understood by their configuration, counted by listener and by topic."""
