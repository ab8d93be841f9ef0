"""Models as the engine asks them: one module for each way in which a network sees the code around a canvas."""
