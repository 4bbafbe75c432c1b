"""The toolkit's own command, all it prints kept in a file: `nat_cli.py LOG finetune --config_file …`."""
import os
import sys

log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
os.dup2(log, 1)
os.dup2(log, 2)
sys.argv = ["nat", *sys.argv[2:]]

from nat.cli.main import run_cli  # noqa: E402

run_cli()
