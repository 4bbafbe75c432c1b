import { messageOf, PairwrightError } from "../../lib/errors.ts";
import { trainModel } from "./train-model.ts";
import type { FromChild, ToChild } from "./training-process.ts";

/** The process that `training-process.ts` starts: one job, then the end. */

const stop = new AbortController();

function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });
}

process.on("message", (message: ToChild) => {
  if (message.kind === "stop") stop.abort();
  else void work(message);
});
// Whoever started this is gone: nobody will take the result. The checkpoint is for the next one.
process.on("disconnect", () => stop.abort());

async function work({ job }: Extract<ToChild, { kind: "start" }>): Promise<void> {
  try {
    const result = await trainModel(job, {
      signal: stop.signal,
      on_event: (event) => void send({ kind: "event", event }),
    });
    await send({ kind: "result", result });
  } catch (error) {
    await send(faultOf(error));
  }
  // Not there any more where the one who started this is gone.
  if (process.connected) process.disconnect();
}

function faultOf(error: unknown): FromChild {
  if (!PairwrightError.is(error)) {
    const stack = error instanceof Error ? error.stack : undefined;
    return { kind: "crash", message: messageOf(error), stack };
  }
  const { code, where, what, fix, exit_code } = error;
  return { kind: "fault", facts: { code, where, what, fix, exit_code } };
}
