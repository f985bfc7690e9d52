"""Family `picture`: what the viewer sees, from decoded frames."""
