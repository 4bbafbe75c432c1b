import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { HttpFault } from "./http-fault.ts";

/** Names of this machine that no other one can have. */
const LOOPBACK = /^(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Turns away what a web page in this machine's browser could send: a name that an attacker's DNS points here (the Host
 * header tells), and a page of another site (Origin and Sec-Fetch-Site tell). Not needed where a token is asked for.
 */
export function onlyThisMachine(): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (!LOOPBACK.test(host)) {
      throw new HttpFault(403, "this platform answers to the loopback address only; use http://127.0.0.1 or localhost");
    }
    const origin = c.req.header("origin");
    const site = c.req.header("sec-fetch-site");
    const foreign = origin !== undefined && !LOOPBACK.test(origin.replace(/^https?:\/\//i, ""));
    if (foreign || site === "cross-site") throw new HttpFault(403, "requests of other sites' pages are not answered");
    await next();
  };
}

/** Asks for `Authorization: Bearer TOKEN`, except where `open` says that the request proves itself otherwise. */
export function onlyWithToken(token: string, open: (url: URL, method: string) => boolean): MiddlewareHandler {
  const wanted = digest(token);
  return async (c, next) => {
    const given = /^Bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    // Digests are of equal length, so that neither length nor content can be found out by timing.
    if (!timingSafeEqual(digest(given), wanted) && !open(new URL(c.req.url), c.req.method)) {
      throw new HttpFault(401, "a token is needed: Authorization: Bearer TOKEN", { "www-authenticate": "Bearer" });
    }
    await next();
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
