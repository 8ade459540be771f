"""What is true: pure values and rules. Time, chance and keys come in as arguments."""
