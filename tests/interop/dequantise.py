"""GGUF file (argv[1]) -> Hugging Face folder (argv[2]) in float32, all by transformers' own reader."""
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

source, target = sys.argv[1:3]
folder, file = os.path.split(source)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
# The weights are plain numbers now, whatever they were made from.
model.hf_quantizer = None
model.is_quantized = False
model.quantization_method = None
if hasattr(model.config, "quantization_config"):
    del model.config.quantization_config
model.save_pretrained(target)
tokenizer.save_pretrained(target)
print(model.num_parameters())
