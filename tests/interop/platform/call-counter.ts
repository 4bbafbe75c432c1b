import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One exchange that a client really had. */
export interface Call {
  method: string;
  path: string;
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

/** An address in front of a server that passes everything on as it is and writes down what was asked. */
export interface CallCounter {
  url: string;
  calls: readonly Call[];
  close(): Promise<void>;
}

/** Counts the same way for every client, whatever library it speaks HTTP with. */
export async function countCalls(target: string): Promise<CallCounter> {
  const calls: Call[] = [];
  const server = createServer((incoming, outgoing) => pass(new URL(target), incoming, outgoing, calls));
  // Uploads and streams take as long as they take.
  server.requestTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, calls, close: () => closeNow(server) };
}

/** `POST /v1/customization/jobs 200` -> how often, most frequent first: what a suite prints of itself. */
export function summary(calls: readonly Call[]): string[] {
  const counts = new Map<string, number>();
  for (const { method, path, status } of calls) {
    const line = `${method} ${routeOf(path)} ${status}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([line, n]) => `${n} x ${line}`);
}

/** The path with a star where names, ids and files stand. */
export function routeOf(path: string): string {
  const [bare = ""] = path.split("?");
  return bare
    .replace(/^(\/v1\/(?:namespaces|datastore\/namespaces))\/.+$/, "$1/*")
    .replace(/^(\/v1\/(?:datasets|models|projects))\/.+$/, "$1/*")
    .replace(/^(\/v1\/(?:customization|deployment)\/[a-z-]+)\/.+?(\/(?:cancel|status|container-logs))?$/, "$1/*$2")
    .replace(/^(\/v1\/hf\/api\/(?:datasets|models))\/[^/]+\/[^/]+(\/[a-z-]+)?(\/.+)?$/, (_, api, verb = "", rest) =>
      [api, "/*", verb, rest === undefined ? "" : "/*"].join(""),
    )
    .replace(/^\/v1\/hf\/(datasets\/)?[^/]+\/[^/]+\/(resolve|raw)\/.+$/, "/v1/hf/$1*/$2/*")
    .replace(/^(.*\/)?[^/]+\/[^/]+\.git\/info\/lfs\/(?:objects\/)?([a-z]+).*$/, "*.git/info/lfs/$2")
    .replace(/\/[0-9a-f]{64}\b.*$/, "/*");
}

function pass(target: URL, incoming: IncomingMessage, outgoing: ServerResponse, calls: Call[]): void {
  const { method = "GET", url = "/" } = incoming;
  const call: Call = { method, path: url, status: 0, headers: incoming.headers };
  calls.push(call);
  const options = { host: target.hostname, port: target.port, method, path: url, headers: headersOf(incoming) };
  const forward = request({ ...options, agent: false }, (answer) => {
    call.status = answer.statusCode ?? 0;
    outgoing.writeHead(call.status, headersOf(answer));
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  forward.on("error", () => outgoing.destroy());
  // Who goes away here must be seen to go away there.
  outgoing.on("close", () => forward.destroy());
  incoming.pipe(forward);
}

/** As they were sent, one header as often as it was; the connection is our own. */
function headersOf({ rawHeaders }: IncomingMessage): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!/^(connection|keep-alive)$/i.test(name)) kept.push(name, value);
  }
  return kept;
}

async function closeNow(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}
