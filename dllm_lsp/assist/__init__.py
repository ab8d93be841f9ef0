"""What is offered to a person who writes code, a module for each thing, and the engine that all of them ask."""
