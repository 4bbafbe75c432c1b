import { z } from "zod";
import type { Preupload } from "../wire/hub.ts";
import type { CommitEdit } from "./commit-body.ts";
import type { FileIdentity } from "./file-identity.ts";
import { uploadLfs } from "./lfs.ts";
import { oddAnswer, type Service } from "./service.ts";

/** Where the Datastore has the hub's API. */
export const HUB = "/v1/hf";

const Preuploaded = z.object({ files: z.array(z.object({ path: z.string(), uploadMode: z.string() })) });

/** A file that a repository is to hold. */
export interface WantedFile {
  path: string;
  file: string;
}

/** The files' bytes get into the store, or stay where they are until the commit; a change for each is given back. */
export async function preupload(
  service: Service,
  repository: string,
  wanted: readonly (WantedFile & FileIdentity)[],
  signal: AbortSignal,
): Promise<CommitEdit[]> {
  const path = `${HUB}/api/datasets/${repository}/preupload/main`;
  const asked: z.input<typeof Preupload> = {
    files: wanted.map(({ path, size, sample }) => ({ path, size, sample })),
  };
  const { body } = await service.call({ method: "POST", path, body: asked, repeatable: true, signal });
  const answer = Preuploaded.safeParse(body);
  if (!answer.success) throw oddAnswer(`POST ${service.endpoint}${path}`, "the answer does not say how to upload");
  const lfs = new Set(answer.data.files.filter((file) => file.uploadMode === "lfs").map((file) => file.path));
  const large = wanted.filter((file) => lfs.has(file.path) && file.size > 0);
  if (large.length > 0) await uploadLfs(service, `${HUB}/datasets/${repository}`, large, signal);
  return wanted.map(({ path, file, sha256, size }) =>
    large.some((one) => one.path === path) ? { do: "lfs", path, sha256, size } : { do: "file", path, file, size },
  );
}
