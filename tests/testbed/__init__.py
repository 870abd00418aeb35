"""Starts the real parts that tests meet, and stops exactly what it started.

Nothing here talks to anything but loopback and the hosts and pods that the testbed itself made.
"""
