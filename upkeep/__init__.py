"""Upkeep: what keeps a fine-tuned model good after it ships. The domain, without an orchestrator."""
