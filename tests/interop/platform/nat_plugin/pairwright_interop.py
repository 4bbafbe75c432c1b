"""Tic-tac-toe for the Python toolkit: a workflow that tries several moves a turn and says so in TTC events, and its evaluator.

Nothing of it is installed: the folder on PYTHONPATH is found by its entry point.
"""
import random
import re
import uuid
from collections.abc import AsyncIterator
from functools import lru_cache

from nat.builder.builder import Builder
from nat.builder.context import Context
from nat.builder.evaluator import EvaluatorInfo
from nat.builder.framework_enum import LLMFrameworkEnum
from nat.builder.function_info import FunctionInfo
from nat.cli.register_workflow import register_evaluator, register_function
from nat.data_models.component_ref import LLMRef
from nat.data_models.evaluator import EvalInputItem, EvaluatorBaseConfig
from nat.data_models.function import FunctionBaseConfig
from nat.data_models.intermediate_step import IntermediateStepPayload, IntermediateStepType, TTCEventData
from nat.plugins.eval.data_models.evaluator_io import EvalOutputItem
from nat.plugins.eval.evaluator.base_evaluator import BaseEvaluator

# A board is nine characters of "XO_", row by row.
LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
MOVE = re.compile(r"<move>\s*<row>\s*([1-3])\s*</row>\s*<col>\s*([1-3])\s*</col>\s*</move>")
OUTCOMES = {"win": 1.0, "draw": 0.5, "loss": 0.0, "illegal": 0.0}


def has_won(board: str, side: str) -> bool:
    return any(all(board[square] == side for square in line) for line in LINES)


def empty(board: str) -> list[int]:
    return [square for square in range(9) if board[square] == "_"]


def put(board: str, square: int, side: str) -> str:
    return board[:square] + side + board[square + 1:]


@lru_cache(maxsize=None)
def value(board: str, side: str) -> float:
    """What best play gives the side that has just moved, a quicker win more and a later loss less bad: -1 to 1."""
    if has_won(board, side):
        return 1.0
    if not empty(board):
        return 0.0
    other = "O" if side == "X" else "X"
    return -0.9 * max(value(put(board, square, other), other) for square in empty(board))


def messages(board: str, side: str) -> list[dict[str, str]]:
    rows = [f"{row + 1} {' '.join(board[3 * row:3 * row + 3])}" for row in range(3)]
    return [
        {"role": "system", "content": f"You play {side} in tic-tac-toe. Reply with one move as XML."},
        {"role": "user", "content": "\n".join(["  1 2 3", *rows, ""])},
    ]


def square_of(reply: str) -> int | None:
    said = MOVE.search(reply)
    return None if said is None else 3 * int(said[1]) + int(said[2]) - 4


class TicTacToeConfig(FunctionBaseConfig, name="pairwright_tic_tac_toe"):
    llm: LLMRef
    num_candidates: int = 3
    # Chance comes from here, so that the same model plays the same games.
    seed: int = 0


@register_function(config_type=TicTacToeConfig, framework_wrappers=[LLMFrameworkEnum.LANGCHAIN])
async def tic_tac_toe(config: TicTacToeConfig, builder: Builder) -> AsyncIterator[FunctionInfo]:
    llm = await builder.get_llm(config.llm, wrapper_type=LLMFrameworkEnum.LANGCHAIN)

    async def best_reply(board: str, side: str, turn: int, chance: random.Random) -> int | None:
        """The best of several moves, each of them an event; None when all were illegal."""
        asked = messages(board, side)
        turn_id = f"turn_{turn}_{uuid.UUID(int=chance.getrandbits(128))}"
        steps = Context.get().intermediate_step_manager
        tried = []
        for index in range(config.num_candidates):
            reply = await llm.bind(seed=chance.getrandbits(31)).ainvoke(asked)
            square = square_of(reply.content)
            if square is not None and board[square] != "_":
                square = None
            score = -2.0 if square is None else value(put(board, square, side), side)
            tried.append((score, square))
            data = TTCEventData(turn_id=turn_id, turn_index=turn, candidate_index=index, input=asked,
                                output=reply.content, score=score)
            event = {"name": "dpo_candidate_move", "data": data, "UUID": str(uuid.uuid4())}
            # An end without a start is dropped by the toolkit.
            for kind in (IntermediateStepType.TTC_START, IntermediateStepType.TTC_END):
                steps.push_intermediate_step(IntermediateStepPayload(event_type=kind, **event))
        return max(tried, key=lambda candidate: candidate[0])[1]

    async def play(question: str) -> str:
        """`X _________`: the model's side, and the board with that side to move. The other side moves at random."""
        side, board = question.split()
        other = "O" if side == "X" else "X"
        chance = random.Random(f"{config.seed} {question}")
        for turn in range(5):
            square = await best_reply(board, side, turn, chance)
            if square is None:
                return "illegal"
            board = put(board, square, side)
            if has_won(board, side):
                return "win"
            if not empty(board):
                return "draw"
            board = put(board, chance.choice(empty(board)), other)
            if has_won(board, other):
                return "loss"
            if not empty(board):
                return "draw"
        raise RuntimeError("no game has more than five turns of one side")

    yield FunctionInfo.from_fn(play, description="Plays one game of tic-tac-toe to its end.")


class OutcomeConfig(EvaluatorBaseConfig, name="pairwright_game_outcome"):
    pass


class Outcome(BaseEvaluator):
    async def evaluate_item(self, item: EvalInputItem) -> EvalOutputItem:
        said = str(item.output_obj)
        return EvalOutputItem(id=item.id, score=OUTCOMES[said], reasoning={"outcome": said})


@register_evaluator(config_type=OutcomeConfig)
async def outcome(config: OutcomeConfig, _builder: Builder) -> AsyncIterator[EvaluatorInfo]:
    evaluator = Outcome()
    yield EvaluatorInfo(config=config, evaluate_fn=evaluator.evaluate, description="How the game ended.")
