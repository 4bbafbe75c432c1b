import { type Context, Hono } from "hono";
import { codeOf } from "../../lib/errors.ts";
import { RepoType } from "../../training/wire/hub.ts";
import { answerFaults, type FaultBody } from "../http/fault-response.ts";
import { HttpFault } from "../http/http-fault.ts";
import type { PlatformContext } from "../platform-context.ts";
import { commitRoutes } from "./commit-routes.ts";
import type { DatastoreParts } from "./datastore.ts";
import { fileHandler } from "./file-routes.ts";
import { hubFault } from "./hub-fault.ts";
import { lfsRoutes } from "./lfs-routes.ts";
import { refRoutes } from "./ref-routes.ts";
import { LOCAL_WHOAMI, repoInfoRoutes, repoRoutes } from "./repo-routes.ts";
import { treeRoutes } from "./tree-routes.ts";

/** The Hugging Face Hub API, to be put at `/v1/hf`. */
export function hubRoutes(store: DatastoreParts, context: PlatformContext): Hono {
  const routes = new Hono();
  answerAsHub(routes, context);
  routes.get("/api/whoami-v2", (c) => c.json(LOCAL_WHOAMI));
  // Clients let the hub look at a README's head before they upload it. There is nothing here that reads it.
  routes.post("/api/validate-yaml", (c) => c.json({ errors: [], warnings: [] }));
  routes.route("/api/repos", repoRoutes(store));
  // Data sets first: a model's path has no word before it, and would match theirs.
  for (const type of RepoType.options) {
    const api = `/api/${type}s`;
    const repo = `${api}/:ns/:name`;
    routes.route(repo, treeRoutes(store, type));
    routes.route(repo, refRoutes(store, type));
    routes.route(repo, commitRoutes(store, type));
    routes.route(api, repoInfoRoutes(store, type));
    const page = type === "dataset" ? "/datasets/:ns/:name" : "/:ns/:name";
    routes.route(`${page}/info/lfs/objects`, lfsRoutes(store, [type]));
    // What is before the revision: v1, hf, the page's own parts, and the word.
    const parts = 2 + page.split("/").length;
    for (const word of ["resolve", "raw"]) routes.get(`${page}/${word}/*`, fileHandler(store, type, parts));
  }
  routes.all("*", () => {
    throw hubFault(404, "there is no such address in this hub");
  });
  return routes;
}

/** Git LFS where the real service's own links lead: `/{ns}/{name}.git/info/lfs/objects` at the root. */
export function rootLfsRoutes(store: DatastoreParts, context: PlatformContext): Hono {
  const routes = lfsRoutes(store, RepoType.options);
  answerAsHub(routes, context);
  return routes;
}

const hubBody: FaultBody = ({ message }) => ({ error: message });

/** Faults as hub clients read them: `{"error": ...}`, and the sentence as a header, too. */
function answerAsHub(routes: Hono, { log }: PlatformContext): void {
  const answer = answerFaults(hubBody, log);
  routes.onError((error, c) => {
    const fault = isDiskFull(error) ? new HttpFault(507, "the disk is full") : error;
    tellInHeader(c, fault);
    return answer(fault, c);
  });
}

function tellInHeader(c: Context, error: unknown): void {
  if (!(error instanceof HttpFault)) return;
  // A header holds no line breaks and nothing outside Latin-1.
  c.header("x-error-message", error.message.replace(/[^ -~]+/g, "?").slice(0, 200));
}

function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error) ?? "");
}
