"""Threads, processes and messages."""
