"""A trained model on its way to others: exported, explained, and in the words of other people's software."""
