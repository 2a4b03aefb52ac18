"""What a report of runs says: verdicts, results, figures, ranks and every case, a module for each section."""
