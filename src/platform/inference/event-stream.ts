/** Server-sent events in the making. */
export interface EventSink {
  /** One `data:` line with this as JSON. What is sent after the client has left goes nowhere. */
  send(data: object): void;
}

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // For proxies that would keep the events until there are many.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/**
 * A response of events as OpenAI's streams have them, the last one `[DONE]`. It begins with the first event: what `work`
 * throws before that is thrown here, what it throws later is the last event but one, as `fault` writes it.
 */
export async function eventStream(
  work: (sink: EventSink) => Promise<void>,
  { onCancel, fault }: { onCancel: () => void; fault: (error: unknown) => object },
): Promise<Response> {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let is_begun = false;
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
    cancel() {
      controller = undefined;
      onCancel();
    },
  });
  function write(data: string): void {
    is_begun = true;
    controller?.enqueue(encoder.encode(`data: ${data}\n\n`));
    begin();
  }
  const running = work({ send: (data) => write(JSON.stringify(data)) })
    .catch((error: unknown) => {
      if (!is_begun) throw error;
      write(JSON.stringify(fault(error)));
    })
    .then(() => {
      write("[DONE]");
      controller?.close();
    });
  await Promise.race([begun, running]);
  // Where it fails from here on, it has failed above already.
  running.catch(() => undefined);
  return new Response(stream, { headers: HEADERS });
}
