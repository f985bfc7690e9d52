"""Values computed from a block of sound at most once. Add one here when a second detector needs it, not before."""
