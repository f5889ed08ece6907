"""User-oriented image semantic coding with real networks: any CLIP, any LLaVA, questions about photographs."""
