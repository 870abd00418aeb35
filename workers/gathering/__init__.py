"""Everything that a judgement rests on, gathered from the ledger, the target and the monitoring."""
