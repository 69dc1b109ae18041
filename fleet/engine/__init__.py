"""Plans and runs: what is done on which hosts, carried out, with the truth about each."""
