"""The controller: the API that says what is watched, and the keeper of what was found. Holds no state of its own."""
