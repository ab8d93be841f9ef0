"""The process boundary: what the editor's half and the engine say to each other, and how they meet."""
