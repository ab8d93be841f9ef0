"""From the engine's answer to what a person sees: cache, trimming, gates. Pure."""
