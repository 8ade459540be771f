"""What doors that speak HTTP have in common."""
