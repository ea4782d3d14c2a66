"""From a trained module to a smaller one: steps in their order, each judged on the clock."""
