"""What the end-to-end tests are made of: the daemon, clients of its protocols, front servers.

Everything waits for events with a deadline; nothing sleeps. Everything that is started lives in a
temporary directory of its own and listens on loopback addresses alone, so that tests can run side
by side.
"""
