"""Positions and replies of tic-tac-toe, in the words that the example's base model knows."""
import random
import re

BOARD = [
    {"role": "system", "content": "You play X in tic-tac-toe. Reply with one move as XML."},
    {"role": "user", "content": "  1 2 3\n1 _ _ _\n2 _ _ _\n3 _ _ _\n"},
]
MOVE = re.compile(r"<move>\n  <row>[123]</row>\n  <col>[123]</col>\n</move>")


def moves(n, seed):
    """Rows as the toolkit writes them: a position, a move to prefer and one to reject. No newline at the end."""
    chance = random.Random(seed)
    rows = []
    for _ in range(n):
        board = [chance.choice("XO____") for _ in range(9)]
        lines = "\n".join(f"{row + 1} {' '.join(board[3 * row:3 * row + 3])}" for row in range(3))
        good, bad = chance.sample(range(9), 2)
        form = lambda square: f"<move>\n  <row>{square // 3 + 1}</row>\n  <col>{square % 3 + 1}</col>\n</move>"
        rows.append({"prompt": [{"role": "system", "content": "You play X in tic-tac-toe. Reply with one move as XML."},
                                {"role": "user", "content": f"  1 2 3\n{lines}\n"}],
                     "chosen_response": form(good), "rejected_response": form(bad)})
    return rows
