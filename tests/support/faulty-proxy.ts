import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "./training-platform.ts";

/** What happens to a request in place of its answer. */
export type FaultKind =
  | { status: number; text?: string }
  /** No answer, ever. */
  | "hang"
  /** The connection ends. */
  | "cut"
  /** The answer comes, with its JSON changed. */
  | { rewrite: (body: Json) => Json };

export interface ProxyFault {
  /** `GET /v1/namespaces/ns`, without the query. */
  at: RegExp;
  fault: FaultKind;
  /** Only where the request's body holds this. */
  holds?: string;
  /** For so many requests; always unless told. */
  times?: number;
  /** The target gets the request first, and does what it asks for. */
  passes?: boolean;
  /** Before the fault, each time. */
  strike?: () => Promise<void>;
}

type Planted = ProxyFault & { struck: number };

/** Passes every request on to a target, which may change, but for those that a fault is planted at. */
export async function startFaultyProxy(target: string) {
  let to = target;
  let planted: Planted | undefined;
  const seen: string[] = [];

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const called = `${incoming.method} ${incoming.url?.split("?")[0]}`;
    seen.push(called);
    const body = await bytesOf(incoming);
    const fault = planted !== undefined && isDue(planted, called, body) ? planted : undefined;
    if (fault === undefined) return send(outgoing, await pass(to, incoming, body));
    fault.struck += 1;
    const answer = fault.passes || isRewrite(fault.fault) ? await pass(to, incoming, body) : undefined;
    await fault.strike?.();
    if (fault.fault === "hang") return;
    if (fault.fault === "cut") {
      incoming.socket.destroy();
    } else if (isRewrite(fault.fault)) {
      const text = JSON.stringify(fault.fault.rewrite(JSON.parse(answer?.body.toString("utf8") ?? "null")));
      send(outgoing, { status: answer?.status ?? 500, headers: JSON_TYPE, body: Buffer.from(text) });
    } else {
      const { status, text = '{"detail":"planted"}' } = fault.fault;
      send(outgoing, { status, headers: JSON_TYPE, body: Buffer.from(text) });
    }
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    aim(target: string): void {
      to = target;
    },
    /** Plants a fault in place of the one before it; undefined for none. */
    plant(fault: ProxyFault | undefined): void {
      planted = fault && { ...fault, struck: 0 };
    },
    /** How often the planted fault has struck. */
    struck: () => planted?.struck ?? 0,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function isDue({ at, holds = "", times = Number.POSITIVE_INFINITY, struck }: Planted, called: string, body: Buffer) {
  return at.test(called) && struck < times && body.includes(holds);
}

const JSON_TYPE = { "content-type": "application/json" };

function isRewrite(fault: FaultKind): fault is { rewrite: (body: Json) => Json } {
  return typeof fault === "object" && "rewrite" in fault;
}

interface Passed {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

function pass(target: string, incoming: IncomingMessage, body: Buffer): Promise<Passed> {
  const url = new URL(incoming.url ?? "/", target);
  const headers = { ...incoming.headers, host: url.host };
  return new Promise((resolve, reject) => {
    const passed = request(url, { method: incoming.method, headers, agent: false });
    passed.on("error", reject);
    passed.on("response", (answer) => {
      bytesOf(answer).then((bytes) => {
        const { "transfer-encoding": _, connection: __, ...kept } = answer.headers;
        resolve({ status: answer.statusCode ?? 500, headers: kept, body: bytes });
      }, reject);
    });
    passed.end(body);
  });
}

function send(outgoing: ServerResponse, { status, headers, body }: Passed): void {
  outgoing.writeHead(status, { ...headers, "content-length": body.length });
  outgoing.end(body);
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
