"""Parts of the benchmark bench/save-restore."""
