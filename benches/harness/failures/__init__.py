"""Why a case failed: the sample, the field, the line of the user's code, and what to do."""
