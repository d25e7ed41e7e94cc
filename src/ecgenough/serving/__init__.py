"""A trained model on its way to others: exported, explained, served, and in the words of other people's software."""
