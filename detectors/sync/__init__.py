"""Family `sync`: whether the clocks of picture and sound go on together."""
