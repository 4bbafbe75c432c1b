import { createReadStream } from "node:fs";
import { z } from "zod";
import { createHttpClient, type StreamedBody } from "../../lib/http.ts";
import { oddAnswer, type Service } from "./service.ts";

const Action = z.object({ href: z.string(), header: z.record(z.string(), z.string()).nullish() });

/** The part of a batch's answer that an upload needs; `actions` is absent when the object is stored already. */
const BatchAnswer = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      actions: z.object({ upload: Action.nullish(), verify: Action.nullish() }).nullish(),
      error: z.object({ message: z.string() }).nullish(),
    }),
  ),
});

export interface LfsFile {
  file: string;
  sha256: string;
  size: number;
}

const LFS_TYPE = "application/vnd.git-lfs+json";
const TIMEOUT_MS = 60_000;
const BYTES_PER_MS = 200;

/**
 * Brings large files into a repository's store, as Git LFS does: asks what is missing, puts that where the answer says,
 * with the headers that it names, and lets it be verified.
 */
export async function uploadLfs(
  service: Service,
  repository_path: string,
  files: readonly LfsFile[],
  signal: AbortSignal,
): Promise<void> {
  const objects = files.map(({ sha256, size }) => ({ oid: sha256, size }));
  const path = `${repository_path}.git/info/lfs/objects/batch`;
  const ref = { name: "main" };
  const { body } = await service.call({
    ...{ method: "POST", path, repeatable: true, signal },
    body: JSON.stringify({ operation: "upload", transfers: ["basic"], objects, hash_algo: "sha256", ref }),
    headers: { Accept: LFS_TYPE, "Content-Type": LFS_TYPE },
  });
  const answer = BatchAnswer.safeParse(body);
  const where = `POST ${service.endpoint}${path}`;
  if (!answer.success) throw oddAnswer(where, "the answer is no list of objects to upload");
  for (const { oid, actions, error } of answer.data.objects) {
    if (error) throw oddAnswer(where, `it does not take ${oid}: ${error.message}`);
    const file = files.find(({ sha256 }) => sha256 === oid);
    if (file === undefined || !actions?.upload) continue;
    await put(service, actions.upload, file, signal);
    if (actions.verify) await verify(service, actions.verify, file, signal);
  }
}

/** Sent without the hub's key: the address may be that of another host, and carries what it needs. */
async function put(service: Service, action: z.output<typeof Action>, file: LfsFile, signal: AbortSignal) {
  const url = new URL(action.href, `${service.endpoint}/`);
  const http = createHttpClient({ base_url: url.origin, timeout_ms: TIMEOUT_MS + file.size / BYTES_PER_MS });
  try {
    const { status } = await http.request({
      method: "PUT",
      path: url.pathname + url.search,
      headers: { "Content-Type": "application/octet-stream", ...action.header },
      body: bytesOf(file),
      signal,
    });
    if (status < 200 || status >= 300) {
      throw oddAnswer(`PUT ${url.origin}${url.pathname}`, `the store does not take the file (HTTP ${status})`);
    }
  } finally {
    http.close();
  }
}

async function verify(service: Service, action: z.output<typeof Action>, file: LfsFile, signal: AbortSignal) {
  const url = new URL(action.href, `${service.endpoint}/`);
  const own = new URL(service.endpoint);
  const path = url.pathname + url.search;
  const body = JSON.stringify({ oid: file.sha256, size: file.size });
  const headers = { Accept: LFS_TYPE, "Content-Type": LFS_TYPE, ...action.header };
  if (url.origin === own.origin && path.startsWith(own.pathname)) {
    const below = own.pathname === "/" ? path : path.slice(own.pathname.length);
    await service.call({ method: "POST", path: below, body, headers, repeatable: true, signal });
    return;
  }
  const http = createHttpClient({ base_url: url.origin, timeout_ms: TIMEOUT_MS });
  try {
    const { status } = await http.request({ method: "POST", path, headers, body, signal });
    if (status >= 300)
      throw oddAnswer(`POST ${url.origin}${url.pathname}`, `the file is not verified (HTTP ${status})`);
  } finally {
    http.close();
  }
}

function bytesOf({ file, size }: LfsFile): StreamedBody {
  return { bytes: size, chunks: () => createReadStream(file) };
}
