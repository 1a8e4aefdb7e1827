"""How good the grouping is: metrics and labelled sets."""
