import { inTurns } from "./in-turns.ts";
import type { TextPiece } from "./job.ts";
import { type Call, faultOf, type News, type Turn } from "./model-messages.ts";
import { openTextService, type TextService, type TextServiceOptions } from "./text-service.ts";

/** The process that `model-thread.ts` starts: one model, until it is told to close or nobody is there any more. */

const turn = inTurns<Turn>(
  () => ({ pieces: [], news: [] }),
  (gathered) => {
    if (process.connected) process.send?.(gathered);
  },
);
const running = new Map<number, AbortController>();
let service: TextService | undefined;
let closing = false;

process.on("message", (calls: Call[]) => {
  // In one go, so that prompts that come together are read together.
  for (const call of calls) void handle(call);
});
process.on("disconnect", () => void close());

async function handle(call: Call): Promise<void> {
  if (call.kind === "abort") {
    running.get(call.id)?.abort();
    return;
  }
  if (call.kind === "close") {
    await close();
    return;
  }
  try {
    const news = await answer(call);
    turn.now.news.push(news);
  } catch (error) {
    turn.now.news.push({ kind: "fault", id: call.id, fault: faultOf(error) });
  }
}

async function answer(call: Exclude<Call, { kind: "abort" | "close" }>): Promise<News> {
  const { id } = call;
  if (call.kind === "open") service = await open(call.options);
  if (service === undefined) throw new RangeError("no model is open");
  if (call.kind === "generate") return generate(service, call);
  if (call.kind === "add_adapter") await service.addAdapter(call.name, call.dir);
  if (call.kind === "remove_adapter") await service.removeAdapter(call.name);
  return { kind: "ready", id, facts: { context_length: service.context_length, bytes: await bytesOf(service) } };
}

async function open(options: TextServiceOptions): Promise<TextService> {
  const opened = await openTextService(options);
  if (closing) await opened.close();
  return opened;
}

/**
 * What the process takes now, and what the cache will take when it is full. The weights as they were read are garbage, and
 * more than what is kept of them; what an asynchronous function held is let go a turn after its end.
 */
async function bytesOf({ cache_bytes }: TextService): Promise<number> {
  for (let round = 0; round < 2; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage.rss() + cache_bytes;
}

async function generate(
  model: TextService,
  { id, request, streams }: Extract<Call, { kind: "generate" }>,
): Promise<News> {
  const stop = new AbortController();
  running.set(id, stop);
  try {
    const on_text = streams ? ({ index, text }: TextPiece) => void turn.now.pieces.push(id, index, text) : undefined;
    const reply = await model.generate(request, { signal: stop.signal, on_text });
    return { kind: "reply", id, reply };
  } finally {
    running.delete(id);
  }
}

/** Whoever waits is told so; then nothing keeps this process. */
async function close(): Promise<void> {
  if (closing) return;
  closing = true;
  await service?.close();
  // A turn later the errors that closing caused are among the news.
  setImmediate(() => {
    turn.flush();
    if (process.connected) process.disconnect();
  });
}
