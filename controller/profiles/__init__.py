"""What detectors look for: profiles, the groups that share a decode, the catalogue."""
