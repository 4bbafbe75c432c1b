import { type Context, Hono } from "hono";
import { JobCreate } from "../../training/wire/customizer.ts";
import { deleted } from "../entities/deleted.ts";
import { conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, type ListQuery, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import { createJob, type JobParts } from "./create-job.ts";
import { jobLogs } from "./job-logs.ts";
import type { JobQueue } from "./job-queue.ts";
import { FINISHED } from "./job-store.ts";
import { listedJob, type StoredJob, shownJob, shownStatus } from "./stored.ts";

const hyperparameter = (name: string) => ({ field: ["hyperparameters", name] });

const FIELDS: ListFields = {
  sort: ["created_at", "updated_at"],
  filter: {
    base_model: { field: ["config_snapshot", "base_model"] },
    batch_size: hyperparameter("batch_size"),
    dataset: { field: ["_files_url"] },
    epochs: hyperparameter("epochs"),
    finetuning_type: hyperparameter("finetuning_type"),
    log_every_n_steps: hyperparameter("log_every_n_steps"),
    namespace: { field: ["namespace"] },
    project: { field: ["project"] },
    status: { field: ["status"] },
    training_type: hyperparameter("training_type"),
  },
  search: ["id", "name", "namespace", "description", "project", "created_at", "updated_at", "output_model", "dataset"],
};

/** `/v1/customization/jobs`. */
export function jobRoutes(parts: JobParts, queue: JobQueue): Hono {
  const { store, context } = parts;
  const { jobs } = store;
  const routes = new Hono();
  function existing(c: Context): StoredJob {
    const id = c.req.param("id") ?? "";
    const job = jobs.get(id);
    if (job === undefined) throw notFound(`Customization job ${id}`);
    return job;
  }
  routes.post("/", async (c) => {
    const job = createJob(await readAs(c, JobCreate), parts);
    queue.add(job.id);
    return c.json(shownJob(job));
  });
  routes.get("/", (c) => {
    const page = listPage(jobs.listed(), jobQuery(c.req.url));
    return c.json({ ...page, data: page.data.map(listedJob) });
  });
  routes.get("/:id", (c) => c.json(shownJob(existing(c))));
  routes.get("/:id/status", (c) => c.json(shownStatus(existing(c))));
  routes.get("/:id/container-logs", (c) => c.json(jobLogs(existing(c))));
  routes.post("/:id/cancel", (c) => {
    const { id, status } = existing(c);
    if (FINISHED.includes(status)) throw conflict(`Job ${id} is ${status} and cannot be cancelled`);
    if (status !== "cancelling") queue.cancel(id);
    return c.json(shownJob(existing(c)));
  });
  routes.delete("/:id", (c) => {
    const { id, status } = existing(c);
    if (!FINISHED.includes(status)) throw conflict(`Job ${id} is ${status}; cancel it first`);
    jobs.remove(id);
    return c.json(deleted(id, context.times));
  });
  return routes;
}

/** `?namespace=X` without brackets finds jobs that are in it, and jobs whose data set is. */
function jobQuery(url: string): ListQuery {
  const query = listQuery(url, FIELDS);
  const places = new URL(url).searchParams.getAll("namespace").filter((name) => name !== "");
  if (places.length === 0) return query;
  const inPlaces = { field: ["_places"], is: "contains" as const, values: places.map((name) => `/${name}/`) };
  return { ...query, where: [...query.where, inPlaces] };
}
