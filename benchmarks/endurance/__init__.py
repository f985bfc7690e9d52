"""Six live channels with faults, watched by a fleet for minutes: how late, through a rolling restart, through chaos."""
