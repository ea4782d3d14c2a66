"""INT8 by the target's own scheme: observe, choose ranges, place Q/DQ. One engine for every scheme."""
