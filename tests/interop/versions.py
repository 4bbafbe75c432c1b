"""What is installed, as JSON; importing it is the test."""
import json

import datasets
import gguf
import peft
import torch
import transformers
import trl

row = torch.tensor([1.0, 2.0, 3.0])
print(json.dumps({
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "peft": peft.__version__,
    "trl": trl.__version__,
    "datasets": datasets.__version__,
    "gguf": hasattr(gguf, "GGUFReader"),
    "product": (row @ row).item(),
    "threads": torch.get_num_threads(),
}))
