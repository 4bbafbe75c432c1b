import { type Context, Hono, type MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Customizer } from "./customizer/customizer.ts";
import type { DatastoreParts } from "./datastore/datastore.ts";
import { datastoreRoutes } from "./datastore/datastore-routes.ts";
import type { Deployments } from "./deployments/open-deployments.ts";
import { entityRoutes } from "./entities/entity-routes.ts";
import type { EntityStore } from "./entities/entity-store.ts";
import { answerFaults, answerUnknownPath, detailBody, openAiBody } from "./http/fault-response.ts";
import { onlyThisMachine, onlyWithToken } from "./http/guards.ts";
import { quickRouter } from "./http/quick-router.ts";
import { type GenerationParts, generationRoutes } from "./inference/generation-routes.ts";
import { nimRoutes } from "./inference/nim-routes.ts";
import type { Leases } from "./leases.ts";
import type { PlatformContext } from "./platform-context.ts";

export interface AppOptions {
  /** Asked for when given; without it, the loopback address only is answered. */
  token?: string | undefined;
}

export interface PlatformParts {
  entities: EntityStore;
  datastore: DatastoreParts;
  customizer: Customizer;
  inference: GenerationParts;
  deployments: Deployments;
  leases: Leases;
}

/** Every path of the platform. Each API answers faults in its own shape; the services' `{"detail": ...}` is the rule. */
export function platformApp(parts: PlatformParts, context: PlatformContext, { token }: AppOptions): Hono {
  const app = new Hono({ strict: false, router: quickRouter(INFERENCE_PATHS) });
  const bodyOf = (c: Context) => (isInference(c.req.path) ? openAiBody : detailBody);
  app.onError((error, c) => answerFaults(bodyOf(c), context.log)(error, c));
  app.notFound((c) => answerUnknownPath(bodyOf(c))(c));
  app.use(counted(context));
  app.use(
    token === undefined
      ? onlyThisMachine()
      : onlyWithToken(token, (url, method) => isOpen(url) || parts.datastore.tickets.allows(url, method)),
  );

  app.route("/v1", entityRoutes(parts.entities, context));
  app.route("/v1/customization", parts.customizer.routes);
  app.route("/", datastoreRoutes(parts.datastore, context));
  app.route("/v1/deployment", parts.deployments.routes);
  app.route("/nim/v1", nimRoutes(parts.inference, context));
  // Beside the Entity Store's `GET /v1/models`: a client with one address for everything finds these here.
  app.route("/v1", generationRoutes(parts.inference, context));

  app.route("/pairwright/lease", parts.leases.routes);

  app.get("/", (c) => c.json(WELCOME));
  for (const path of ["/health", "/v1/health", "/v1/health/live", "/v1/health/ready"]) {
    app.get(path, (c) => c.json({ status: "ok" }));
  }
  app.get("/metrics", async (c) => {
    const { registry } = context.metrics;
    return c.body(await registry.metrics(), 200, { "content-type": registry.contentType });
  });
  return app;
}

/** Called by the thousand. */
const INFERENCE_PATHS = ["/v1", "/nim/v1"].flatMap((at) => [`${at}/chat/completions`, `${at}/completions`]);

/** Whether OpenAI's clients call this path: also what is wrong before a route is reached is told in their shape. */
function isInference(path: string): boolean {
  return path.startsWith("/nim/") || INFERENCE_PATHS.includes(path);
}

/** For who opens the address in a browser. */
const WELCOME = {
  name: "pairwright's embedded platform",
  services: {
    entity_store: ["/v1/namespaces", "/v1/datasets", "/v1/models", "/v1/projects"],
    datastore: ["/v1/datastore/namespaces", "/v1/hf"],
    customizer: ["/v1/customization/configs", "/v1/customization/targets", "/v1/customization/jobs"],
    deployment_management: ["/v1/deployment/configs", "/v1/deployment/model-deployments"],
    nim: ["/nim/v1/models", "/nim/v1/chat/completions", "/nim/v1/completions"],
    operations: ["/health", "/metrics"],
  },
};

/** What needs no token: whether the platform is there is no secret. (Uploads of large files carry a ticket instead.) */
function isOpen({ pathname }: URL): boolean {
  return pathname === "/health";
}

/** Counts requests and their time under the route's pattern, not its path: names are no labels. */
function counted({ metrics }: PlatformContext): MiddlewareHandler {
  return async (c, next) => {
    const began = performance.now();
    await next();
    const labels = { method: c.req.method, route: routePath(c, -1) };
    metrics.seconds.observe(labels, (performance.now() - began) / 1000);
    metrics.requests.inc({ ...labels, status: String(c.res.status) });
  };
}
