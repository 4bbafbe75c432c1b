/** The model server of `bench/collect.ts`, in a process of its own so that it takes the other core. */
import { startModelServer } from "pairwright/testing";
import { standInReply } from "../examples/tic-tac-toe/stand-in.ts";

let first_call: number | null = null;
let calls = 0;
const server = await startModelServer({
  latency_ms: Number(process.argv[2] ?? 0),
  reply: (request) => {
    first_call ??= Date.now();
    calls += 1;
    return standInReply(request as Parameters<typeof standInReply>[0]);
  },
});
process.on("message", () => {
  process.send?.({ calls, first_call, peak: server.peak });
  calls = 0;
  first_call = null;
});
process.send?.({ url: server.url });
