"""One file per framework. Each runs as its own process and imports nothing else of hfscan."""
