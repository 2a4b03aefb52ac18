"""What is loaded: the dataset of a case, and its DataLoader."""
