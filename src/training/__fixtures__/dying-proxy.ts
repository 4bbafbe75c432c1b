import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Passes requests on to `target`, up to the one with the number `dies_at` (from 1): that one gets no answer, whether it
 * was passed on (`after`) or not (`before`), and nothing does from then on. So a client ends as one that is killed there.
 */
export async function startDyingProxy(target: string, dies_at: number, when: "before" | "after") {
  let count = 0;
  let dead = false;
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    count += 1;
    const number = count;
    if (dead || (number >= dies_at && when === "before")) {
      dead = true;
      incoming.socket.destroy();
      return;
    }
    seen.push(`${incoming.method} ${incoming.url}`);
    const url = new URL(incoming.url ?? "/", target);
    const passed = request(url, { method: incoming.method, headers: { ...incoming.headers, host: url.host } });
    incoming.pipe(passed);
    passed.on("error", () => incoming.socket.destroy());
    passed.on("response", (answer) => {
      if (number >= dies_at) {
        dead = true;
        answer.resume();
        answer.on("end", () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    count: () => count,
    /** Whether the request at which it dies has come. */
    died: () => dead,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
