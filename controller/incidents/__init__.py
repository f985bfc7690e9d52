"""What was found: defects as they stand, and the consumer that reads accepted findings."""
