"""What `loaderbench run` does beyond plain benches: an answer within a budget, from the rounds that decide it."""
