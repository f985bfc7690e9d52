"""Where findings leave to."""
