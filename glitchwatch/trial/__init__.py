"""A fleet on trial: channels with known faults on one side, what its API says on the other, and the verdict."""
