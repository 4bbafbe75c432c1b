/** The model server of `bench/collect.ts`, in a process of its own so that it takes the other core. */
import { createHash } from "node:crypto";
import { startModelServer } from "pairwright/testing";
import { legalMoves } from "../examples/tic-tac-toe/board.ts";
import { formatMove, readBoard } from "../examples/tic-tac-toe/prompt.ts";

/** A legal move, chosen by prompt and seed. Never an illegal one: a retry would make turns of two latencies. */
function legalReply({ messages, seed }: { messages: { content: unknown }[]; seed?: unknown }): string {
  const text = String(messages.at(-1)?.content);
  const board = readBoard(text);
  const moves = board ? legalMoves(board) : [];
  const draw = createHash("md5")
    .update(`${text}${String(seed)}`)
    .digest()
    .readUInt32BE(0);
  const move = moves[draw % moves.length];
  return move ? formatMove(move) : "no board";
}

let first_call: number | null = null;
let calls = 0;
const server = await startModelServer({
  latency_ms: Number(process.argv[2] ?? 0),
  reply: (request) => {
    first_call ??= Date.now();
    calls += 1;
    return legalReply(request as Parameters<typeof legalReply>[0]);
  },
});
process.on("message", () => {
  process.send?.({ calls, first_call, peak: server.peak });
  calls = 0;
  first_call = null;
});
process.send?.({ url: server.url });
