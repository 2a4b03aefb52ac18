"""The verdict: blocks of two sides, judged, and what is said of them."""
