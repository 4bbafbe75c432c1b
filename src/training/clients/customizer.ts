import { z } from "zod";
import { namedPath, oddAnswer, type Service } from "./service.ts";

const JOBS = "/v1/customization/jobs";
const CONFIGS = "/v1/customization/configs";

/** A job as far as a client needs it; whatever else it holds is kept as it came. */
export const KnownJob = z.looseObject({
  id: z.string().min(1),
  status: z.string().nullish(),
  output_model: z.string().nullish(),
  custom_fields: z.record(z.string(), z.unknown()).nullish(),
  status_details: z.looseObject({}).nullish(),
});
export type KnownJob = z.output<typeof KnownJob>;

/** What the status of a job is read from. A status is not always there, and neither is the progress. */
export const KnownStatus = z.looseObject({
  status: z.string(),
  percentage_done: z.number().nullish(),
  status_logs: z.array(z.looseObject({ message: z.string().nullish(), detail: z.unknown().optional() })).nullish(),
});
export type KnownStatus = z.output<typeof KnownStatus>;

const Listed = z.object({ data: z.array(z.unknown()), pagination: z.looseObject({ total_pages: z.int() }).nullish() });

/** Client of the Customizer. */
export function customizerClient(service: Service) {
  async function jobAt(method: "GET" | "POST", path: string, body: unknown, signal: AbortSignal): Promise<KnownJob> {
    const answer = await service.call({ method, path, body, signal });
    const job = KnownJob.safeParse(answer.body);
    if (job.success) return job.data;
    throw oddAnswer(`${method} ${service.endpoint}${path}`, "the answer is no customization job");
  }

  /** Jobs of a namespace, the newest first, page by page. One that cannot be read is passed over. */
  async function* jobs(namespace: string, signal: AbortSignal): AsyncGenerator<KnownJob> {
    for (let page = 1; ; page += 1) {
      const query = new URLSearchParams({
        ...{ page: String(page), page_size: "100", sort: "-created_at" },
        "filter[namespace]": namespace,
      });
      const path = `${JOBS}?${query}`;
      const { body } = await service.call({ method: "GET", path, signal });
      const listed = Listed.safeParse(body);
      if (!listed.success) throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer is no list of jobs");
      const { data, pagination } = listed.data;
      for (const item of data) {
        const job = KnownJob.safeParse(item);
        if (job.success) yield job.data;
      }
      if (data.length === 0 || page >= (pagination?.total_pages ?? 1)) return;
    }
  }

  return {
    jobs,
    createJob: (body: object, signal: AbortSignal) => jobAt("POST", JOBS, body, signal),
    job: (id: string, signal: AbortSignal) => jobAt("GET", namedPath(JOBS, id), undefined, signal),
    /** The real service answers with the job, some of its stand-ins with nothing. */
    async cancelJob(id: string, signal: AbortSignal): Promise<void> {
      await service.call({ method: "POST", path: `${namedPath(JOBS, id)}/cancel`, body: {}, repeatable: true, signal });
    },

    async status(id: string, signal: AbortSignal): Promise<KnownStatus> {
      const path = `${namedPath(JOBS, id)}/status`;
      const { body } = await service.call({ method: "GET", path, tries: 1, signal });
      const status = KnownStatus.safeParse(body);
      if (status.success) return status.data;
      throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer holds no status");
    },

    async logs(id: string, signal: AbortSignal): Promise<unknown> {
      return (await service.call({ method: "GET", path: `${namedPath(JOBS, id)}/container-logs`, signal })).body;
    },

    /** Whether a config of this name (`ns/name@version`) is there, and otherwise what there is. */
    async hasConfig(name: string, signal: AbortSignal): Promise<{ found: boolean; known: string[] }> {
      const slash = name.indexOf("/");
      const parts = slash === -1 ? ["default", name] : [name.slice(0, slash), name.slice(slash + 1)];
      const { status } = await service.call({
        method: "GET",
        path: namedPath(CONFIGS, ...parts),
        accept: [404],
        signal,
      });
      if (status !== 404) return { found: true, known: [] };
      const { body } = await service.call({ method: "GET", path: `${CONFIGS}?page_size=100`, accept: [404], signal });
      const items = z.object({ data: z.array(z.object({ name: z.string(), namespace: z.string() })) }).safeParse(body);
      return { found: false, known: (items.data?.data ?? []).map(({ namespace, name }) => `${namespace}/${name}`) };
    },
  };
}
export type CustomizerClient = ReturnType<typeof customizerClient>;
