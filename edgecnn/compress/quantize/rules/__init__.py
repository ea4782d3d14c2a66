"""Rules of a quantized graph, each group in a file: generators of one sentence for each rule that is broken."""
