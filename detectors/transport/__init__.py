"""Family `transport`: delivery, from fetches, formats and damage; nothing is decoded for it."""
