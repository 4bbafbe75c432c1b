import { type Component, functionRef, PairwrightError, type RunContext, z } from "pairwright";
import type { MoveRequest } from "./board.ts";
import { symbolOf } from "./board.ts";
import { type EveryGameResult, playEveryGame } from "./every-game.ts";
import { type Decide, type GameResult, MoveChoice, playGame } from "./game.ts";
import { gameSetup } from "./game-setup.ts";

const options = z.strictObject({
  trained_ttc_move_selector_fn: functionRef().describe("decides the moves of the player that is to be trained"),
  opponent_ttc_move_selector_fn: functionRef().describe("decides the moves of the other player"),
});

interface Calls {
  decide(request: MoveRequest, context: RunContext): unknown;
}

/**
 * Plays one game of tic-tac-toe; the example says which side is the trained one and where the game begins. Or all games from
 * there, which tells something of a player that always answers the same.
 */
export const dpoTicTacToe: Component<"workflow", typeof options> = {
  description: "one game of tic-tac-toe between the trained player and an opponent",
  options,
  build({ options: { trained_ttc_move_selector_fn, opponent_ttc_move_selector_fn }, function: functionNamed }) {
    const trainedDecides = decider(trained_ttc_move_selector_fn, functionNamed(trained_ttc_move_selector_fn));
    const opponentDecides = decider(opponent_ttc_move_selector_fn, functionNamed(opponent_ttc_move_selector_fn));

    return (input: unknown, context: RunContext): Promise<GameResult | EveryGameResult> => {
      const { trained, board, every } = gameSetup(input, context.example, context.random);
      const own: Decide = (request) => trainedDecides(request, context);
      if (every) return playEveryGame(board, trained, own);
      const other: Decide = (request) => opponentDecides(request, context);
      return playGame(board, trained, symbolOf(trained) === "X" ? { X: own, O: other } : { X: other, O: own });
    };
  },
};

/** A function's answer, checked: any function may be named in the configuration. */
function decider(name: string, decide: Calls["decide"]) {
  return async (request: MoveRequest, context: RunContext): Promise<MoveChoice> => {
    const choice = MoveChoice.safeParse(await decide(request, context));
    if (choice.success) return choice.data;
    throw new PairwrightError({
      code: "bad_move_choice",
      where: name,
      what: "a function that decides a move gives back {move: {row, col} or null}, and this one did not",
      fix: "name a function of the type ttc_move_selector",
      exit_code: 2,
    });
  };
}
