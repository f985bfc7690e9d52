"""Family `sound`: what the viewer hears, from decoded samples."""
