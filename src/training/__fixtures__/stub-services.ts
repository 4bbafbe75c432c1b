import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it came. */
export interface Received {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage["headers"];
  text: string;
}

/** What to answer: a status with a JSON body, nothing at all (`hang`), or a connection that is cut. */
export type Reply = { status: number; body?: unknown; headers?: Record<string, string> } | "hang" | "cut";

/** The first rule that matches answers: by `METHOD /path` without its query, where `*` stands for one part. */
export type Rules = Record<string, Reply | ((request: Received, times: number) => Reply)>;

/** A server that stands in for all services and does what its rules say; anything else is a 404. */
export async function startStub(rules: Rules) {
  const received: Received[] = [];
  const times = new Map<string, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, path: url, headers, text: Buffer.concat(chunks).toString("utf8") };
      received.push(one);
      const rule = Object.keys(rules).find((pattern) => matches(pattern, `${method} ${url.split("?")[0]}`));
      const given = rule === undefined ? undefined : rules[rule];
      const count = (times.get(rule ?? "") ?? 0) + 1;
      times.set(rule ?? "", count);
      const reply = typeof given === "function" ? given(one, count) : given;
      if (reply === "hang") return;
      if (reply === "cut") return void request.socket.destroy();
      response.writeHead(reply?.status ?? 404, { "content-type": "application/json", ...reply?.headers });
      response.end(JSON.stringify(reply?.body ?? { detail: "Not Found" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    calls: () => received.map(({ method, path }) => `${method} ${path.split("?")[0]}`),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function matches(pattern: string, called: string): boolean {
  const [wanted, got] = [pattern.split("/"), called.split("/")];
  return wanted.length === got.length && wanted.every((part, index) => part === "*" || part === got[index]);
}
