"""Who labels what next: leases, answers and undo, rounds, examples and labels from elsewhere."""
