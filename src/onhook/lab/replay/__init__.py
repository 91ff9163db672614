"""A recorded call's far end, played again: derived from facts, adapted to the call of today, compared."""
