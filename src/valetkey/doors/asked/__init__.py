"""What the doors share through which mail servers ask: who may ask, sockets, the attempt, and the answer's words."""
