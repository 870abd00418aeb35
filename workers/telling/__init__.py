"""Telling people: takes messages from the outbox and brings them to the channels of the settings."""
