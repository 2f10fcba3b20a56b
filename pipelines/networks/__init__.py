"""Neural networks: trained with torch, run by onnxruntime. Nothing here is loaded by the live engine."""
