import { type Context, Hono } from "hono";
import { LfsBatch, LfsObject, type RepoType } from "../../training/wire/hub.ts";
import { readAs } from "../http/read-body.ts";
import type { BlobStore } from "./blob-store.ts";
import { bodyChunks } from "./body-chunks.ts";
import type { DatastoreParts } from "./datastore.ts";
import { entryNotFound, hubFault, repoNotFound } from "./hub-fault.ts";
import { repoKeyOf } from "./hub-request.ts";
import { serveFile } from "./serve-file.ts";

const LFS_JSON = { "content-type": "application/vnd.git-lfs+json" };
const BATCH_BYTES = 64 * 2 ** 20;

/**
 * Git LFS's basic transfer (its API specification, "batch" and "basic-transfers") for repositories of these types, below
 * `{ns}/{name}.git/info/lfs/objects`. Objects are shared by all repositories: they are named by their content.
 */
export function lfsRoutes(store: DatastoreParts, types: readonly RepoType[]): Hono {
  const routes = new Hono();
  routes.post("/batch", async (c) => {
    requireRepo(c, store, types);
    const { operation, objects } = await readAs(c, LfsBatch, { max_bytes: BATCH_BYTES });
    const here = new URL(c.req.url);
    const base = `${here.origin}${here.pathname.slice(0, -"/batch".length)}`;
    const answers = await Promise.all(
      objects.map(async (object) => ({ ...object, ...(await actions(store, { object, operation, base })) })),
    );
    return c.json({ transfer: "basic", objects: answers }, 200, LFS_JSON);
  });
  routes.put("/:oid{[0-9a-f]{64}}/:size{[0-9]{1,15}}", async (c) => {
    requireRepo(c, store, types);
    if (!store.tickets.allows(new URL(c.req.url), "PUT"))
      throw hubFault(403, "this address was not given out, or long ago");
    await receive(c, store.blobs, { oid: c.req.param("oid"), size: Number(c.req.param("size")) });
    return c.body(null, 200);
  });
  routes.post("/verify", async (c) => {
    requireRepo(c, store, types);
    const { oid, size } = await readAs(c, LfsObject);
    const there = await store.blobs.size(oid);
    if (there === undefined) throw entryNotFound(oid);
    if (there !== size) throw hubFault(422, `the object ${oid} has ${there} bytes, not ${size}`);
    return c.json({ oid, size }, 200, LFS_JSON);
  });
  routes.get("/:oid{[0-9a-f]{64}}", async (c) => {
    requireRepo(c, store, types);
    const oid = c.req.param("oid");
    const size = await store.blobs.size(oid);
    if (size === undefined) throw entryNotFound(oid);
    return serveFile(c, { path: store.blobs.path(oid), size, etag: oid });
  });
  return routes;
}

function requireRepo(c: Context, { repos }: DatastoreParts, types: readonly RepoType[]): void {
  const keys = types.map((type) => repoKeyOf(c, type));
  if (!keys.some((key) => repos.find(key))) throw repoNotFound(keys[0]?.id ?? "");
}

interface Asked {
  object: LfsObject;
  operation: "upload" | "download";
  base: string;
}

/** What a client has to do about one object. Nothing at all, for one that is here and is to be uploaded. */
async function actions(
  { blobs, tickets }: DatastoreParts,
  { object: { oid, size }, operation, base }: Asked,
): Promise<object> {
  const there = await blobs.size(oid);
  if (there !== undefined && there !== size) {
    return { error: { code: 422, message: `the object has ${there} bytes, not ${size}` } };
  }
  if (operation === "download") {
    if (there === undefined) return { error: { code: 404, message: "the object is not here" } };
    return { actions: { download: { href: `${base}/${oid}` } } };
  }
  if (there !== undefined) return {};
  return {
    actions: {
      upload: { href: `${base}/${oid}/${size}?${tickets.issue(oid, size)}` },
      verify: { href: `${base}/verify` },
    },
  };
}

/** Errors: 400 where the bytes are more, fewer or others than was said. */
async function receive(c: Context, blobs: BlobStore, { oid, size }: LfsObject): Promise<void> {
  const announced = c.req.header("content-length");
  if (announced !== undefined && Number(announced) !== size) {
    throw hubFault(400, `the object was said to have ${size} bytes, and ${announced} are sent`);
  }
  const writer = blobs.writer();
  try {
    let bytes = 0;
    for await (const chunk of bodyChunks(c)) {
      bytes += chunk.byteLength;
      if (bytes > size) throw hubFault(400, `the object was said to have ${size} bytes, and more are sent`);
      await writer.write(chunk);
    }
    if (bytes !== size) throw hubFault(400, `the object has ${bytes} bytes, not ${size}`);
    const received = await writer.end();
    if (received.sha256 !== oid) throw hubFault(400, `the bytes have the SHA-256 ${received.sha256}, not ${oid}`);
    await received.keep();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}
