import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Hono } from "hono";
import { readConfig } from "../../engine/model/read-config.ts";
import { answerFaults, answerUnknownPath, openAiBody } from "../http/fault-response.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type GenerationParts, generationRoutes } from "./generation-routes.ts";
import type { ServedModel } from "./model-names.ts";

/** The whole API of a NIM: OpenAI's, with its list of models, health and facts. */
export function nimRoutes(parts: GenerationParts, context: PlatformContext): Hono {
  const { names } = parts;
  const routes = new Hono();
  routes.onError(answerFaults(openAiBody, context.log));
  routes.notFound(answerUnknownPath(openAiBody));
  routes.route("/", generationRoutes(parts, context));
  routes.get("/models", async (c) => {
    const data = await Promise.all(names.list().map(({ name, model }) => listed(name, model)));
    return c.json({ object: "list", data });
  });
  routes.get("/models/:name{.+}", async (c) => {
    const name = c.req.param("name");
    return c.json(await listed(name, names.find(name)));
  });
  routes.get("/health/live", (c) => c.json({ object: "health.response", message: "Service is live." }));
  routes.get("/health/ready", (c) => c.json({ object: "health.response", message: "Service is ready." }));
  const release = packageVersion();
  routes.get("/version", (c) => c.json({ release, api: "1.0.0" }));
  routes.get("/metadata", (c) => {
    const modelInfo = names.list().map(({ name, model }) => ({ modelUrl: model.root, shortName: name }));
    return c.json({ version: release, modelInfo, assetInfo: [], licenseInfo: {}, repository_override: "" });
  });
  routes.get("/metrics", async (c) => {
    const { registry } = context.metrics;
    return c.body(await registry.metrics(), 200, { "content-type": registry.contentType });
  });
  return routes;
}

/** A model as vLLM lists it. */
async function listed(name: string, { root, parent, created, weights, adapter }: ServedModel) {
  const permission = {
    id: `modelperm-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`,
    object: "model_permission",
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: "*",
    group: null,
    is_blocking: false,
  };
  const max_model_len = "dir" in weights && !adapter ? await lengthOf(weights.dir) : null;
  return {
    id: name,
    object: "model",
    created,
    owned_by: "system",
    root,
    parent,
    max_model_len,
    permission: [permission],
  };
}

/** Tokens of prompt and reply together that the model was made for; null where its folder does not say. */
async function lengthOf(dir: string): Promise<number | null> {
  const path = join(dir, "config.json");
  try {
    return readConfig(JSON.parse(await readFile(path, "utf8")), path).max_position_embeddings;
  } catch {
    // Whoever calls the model is told what is wrong with it.
    return null;
  }
}

/** The version in package.json, which lies three folders up both in the source and in the package. */
function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return String(version);
}
