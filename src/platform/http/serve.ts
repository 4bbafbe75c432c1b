import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { codeOf, messageOf, usageError } from "../../lib/errors.ts";

/** A server that listens. */
export interface Listening {
  /** `http://127.0.0.1:8711`. */
  origin: string;
  /** Takes no more requests, lets those that run end, and cuts them off after `limit_ms`. */
  close(limit_ms: number): Promise<void>;
}

/** Serves an app. Port 0 is any free one. Errors: `port_taken`, `cannot_listen`. */
export async function serve(app: Hono, { hostname, port }: { hostname: string; port: number }): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    serverOptions: {
      // A head that does not come is no request. Bodies have limits of their own: a large file may take long.
      headersTimeout: 15_000,
      requestTimeout: 0,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 32 * 1024,
      noDelay: true,
    },
  }) as Server;
  await listen(server, hostname, port);
  const address = server.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    origin: `http://${shown}:${address.port}`,
    async close(limit_ms) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A kept connection is idle from its last answer on, and nobody else would close it then.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const timer = setTimeout(() => server.closeAllConnections(), limit_ms);
      await closed;
      clearInterval(idle);
      clearTimeout(timer);
    },
  };
}

function listen(server: Server, hostname: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const taken = codeOf(cause) === "EADDRINUSE";
      reject(
        usageError({
          code: taken ? "port_taken" : "cannot_listen",
          where: `${hostname}:${port}`,
          what: taken ? "another program listens there" : messageOf(cause),
          fix: taken ? "stop it, or choose another --port" : "choose another --host or --port",
          cause,
        }),
      );
    });
    server.listen(port, hostname, resolve);
  });
}
