import type { ContentfulStatusCode } from "hono/utils/http-status";
import { HttpFault } from "../http/http-fault.ts";

/** What the clients tell kinds of 404 apart by; without it `repo_exists` and `file_exists` raise instead of answering no. */
export type HubErrorCode = "RepoNotFound" | "RevisionNotFound" | "EntryNotFound";

/** A fault with what hub clients read: the code and the sentence as headers, too. */
export function hubFault(
  status: ContentfulStatusCode,
  message: string,
  code?: HubErrorCode,
  headers: Record<string, string> = {},
): HttpFault {
  return new HttpFault(status, message, {
    ...headers,
    ...(code && { "x-error-code": code }),
    // Clients try a 409 again unless they are told that it will not help.
    ...(status === 409 && { "x-should-retry": "false" }),
  });
}

export function repoNotFound(id: string): HttpFault {
  return hubFault(404, `Repository ${id} not found`, "RepoNotFound");
}

export function revisionNotFound(revision: string): HttpFault {
  return hubFault(404, `Invalid rev id: ${revision}`, "RevisionNotFound");
}

export function entryNotFound(path: string): HttpFault {
  return hubFault(404, `${path || "/"} does not exist`, "EntryNotFound");
}
