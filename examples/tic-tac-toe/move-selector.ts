import { type Candidate, type Component, type RunContext, scorerRef, searchRef, selectorRef, z } from "pairwright";
import { type MoveRequest, moveOf, symbolOf } from "./board.ts";
import type { MoveChoice } from "./game.ts";
import { movePrompt, printBoard, SYSTEM_PROMPT } from "./prompt.ts";

const options = z.strictObject({
  search: searchRef().describe("proposes moves"),
  scorer: scorerRef().describe("judges each proposed move"),
  selector: selectorRef().describe("picks the move to play"),
  system_prompt: z
    .string()
    .default(SYSTEM_PROMPT)
    .describe("what the player is told; {symbol} becomes X or O. A large model does better when the form is spelt out"),
});

/** One turn of one player: propose, score, select, and leave a record of every candidate. */
export const ttcMoveSelector: Component<"function", typeof options> = {
  description: "one turn of tic-tac-toe with test-time compute: search, score, select, record",
  options,
  build(args) {
    const { system_prompt } = args.options;
    const search = args.search(args.options.search);
    const score = args.scorer(args.options.scorer);
    const select = args.selector(args.options.selector);

    return async (request: MoveRequest, context: RunContext): Promise<MoveChoice> => {
      const printed = printBoard(request.board);
      const { selected } = await context.choose("move", {
        prompt: movePrompt(request, system_prompt),
        input: request,
        candidates: search.candidates,
        sample: search.sample,
        together: search.together,
        score,
        select,
        event_type: "CUSTOM_END",
        describe: (candidate, turn) => describeMove(candidate, turn, { ...request, printed }),
      });
      return { move: moveOf(selected.value) ?? null, reason: selected.reason };
    };
  },
};

/** The keys that the seeds list for an intermediate step of this game, all of them, `null` for no move. */
export function describeMove(
  { candidate_index, value, score, is_selected, text }: Candidate,
  { turn_id, turn_index }: { turn_id: string; turn_index: number },
  { board, player, printed }: MoveRequest & { printed: string },
) {
  return {
    turn_id,
    turn_index,
    candidate_index,
    board_state_before: board,
    prompt: printed,
    move: moveOf(value) ?? null,
    score,
    is_selected,
    raw_llm_response: text,
    player_symbol: symbolOf(player),
    player_value: player,
  };
}
