"""What is loaded: the subject, the part of it that is read, and the DataLoader of a case."""
