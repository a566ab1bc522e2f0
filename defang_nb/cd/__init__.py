"""The continuous-deployment service: leases, plans, applies, tells the story, and exits when idle."""
