import { z } from "zod";
import { EntityName } from "./common.ts";

/** The Datastore: repositories of files behind the Hugging Face Hub API, as NeMo Microservices v1 has it. */

export const RepoType = z.enum(["dataset", "model"]);
export type RepoType = z.output<typeof RepoType>;

/** What the paths of the API have of their own: a namespace of such a name could not be told from them. */
const RESERVED = ["api", "datasets", "models", "spaces"];

export const RepoNamespace = EntityName.refine((name) => !RESERVED.includes(name), "is a word of the API itself");
export const RepoName = EntityName.refine((name) => !/@|\.git$/.test(name), "must hold no @ and not end with .git");

/** Of a repository's creation. Who may see it is nobody's concern here: whoever reaches the platform may. */
export const RepoCreate = z.object({ name: RepoName, organization: RepoNamespace.nullish(), type: RepoType.nullish() });

export const RepoDelete = z.object({ name: z.string(), organization: z.string().nullish(), type: RepoType.nullish() });

const Size = z.int().min(0);

export const Preupload = z.object({
  files: z.array(z.object({ path: z.string(), size: Size, sample: z.string().nullish() })).max(100_000),
});

export interface PreuploadFile {
  path: string;
  uploadMode: "regular" | "lfs";
  shouldIgnore: boolean;
  /** Of the file that is there: the oid of git for `regular`, the SHA-256 for `lfs`; clients then see that nothing is new. */
  oid?: string;
}

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 small hexadecimal digits");

export const LfsObject = z.object({ oid: Sha256, size: Size });
export type LfsObject = z.output<typeof LfsObject>;

export const LfsBatch = z.object({
  operation: z.enum(["upload", "download"]),
  transfers: z.array(z.string()).nullish(),
  objects: z.array(LfsObject).max(100_000),
});

/** One line of a commit. A regular file's content is read by itself, and is not part of this. */
export const CommitLine = z.discriminatedUnion("key", [
  z.object({
    key: z.literal("header"),
    value: z.object({
      summary: z.string().max(65_536).nullish(),
      description: z.string().max(65_536).nullish(),
      parentCommit: z
        .string()
        .regex(/^[0-9a-f]{7,40}$/, "must be 7 to 40 small hexadecimal digits")
        .nullish(),
    }),
  }),
  z.object({
    key: z.literal("file"),
    value: z.object({ path: z.string(), encoding: z.literal("base64") }),
  }),
  z.object({
    key: z.literal("lfsFile"),
    value: z.object({ path: z.string(), algo: z.literal("sha256").nullish(), oid: Sha256, size: Size.nullish() }),
  }),
  z.object({ key: z.literal("deletedFile"), value: z.object({ path: z.string() }) }),
  z.object({ key: z.literal("deletedFolder"), value: z.object({ path: z.string() }) }),
]);
export type CommitLine = z.output<typeof CommitLine>;

export interface CommitMade {
  success: true;
  commitOid: string;
  commitUrl: string;
  hookOutput: string;
}

/** A file or folder of a revision, as `tree` and `paths-info` have it. */
export interface TreeItem {
  type: "file" | "directory";
  oid: string;
  size: number;
  path: string;
  lfs?: { oid: string; size: number; pointerSize: number };
  lastCommit?: { id: string; title: string; date: string };
}

export interface RepoInfo {
  _id: string;
  id: string;
  author: string;
  sha: string;
  lastModified: string;
  createdAt: string;
  private: boolean;
  disabled: boolean;
  gated: boolean;
  downloads: number;
  likes: number;
  tags: string[];
  siblings: { rfilename: string; size?: number; blobId?: string; lfs?: unknown }[];
}

/** Where a data set or a model's files lie: `hf://datasets/ns/name@revision/path`. */
export interface HubLocation {
  type: RepoType;
  /** `ns/name` */
  id: string;
  revision?: string;
  /** Within the repository; "" is all of it. */
  path: string;
}

/**
 * Reads `hf://datasets/ns/name`, `hf://models/ns/name` or `hf://ns/name` (a model), each with `@revision` and `/path` where
 * wanted; a revision's slashes stand as `%2F`. Undefined for anything else.
 */
export function parseHubUrl(url: string): HubLocation | undefined {
  const found = /^hf:\/\/(?:(datasets|models)\/)?([^/@]+)\/([^/@]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(url);
  if (found === null) return undefined;
  const [, kind = "models", namespace = "", name = "", revision, path = ""] = found;
  if (!RepoNamespace.safeParse(namespace).success || !RepoName.safeParse(name).success) return undefined;
  return {
    type: kind === "datasets" ? "dataset" : "model",
    id: `${namespace}/${name}`,
    ...(revision !== undefined && { revision: revision.replaceAll(/%2f/gi, "/") }),
    path: path.replace(/\/+$/, ""),
  };
}

/** `hf://datasets/ns/name@revision`: how entities name a repository's files. */
export function hubUrl({ type, id, revision, path = "" }: Omit<HubLocation, "path"> & { path?: string }): string {
  const at = revision === undefined ? "" : `@${revision.replaceAll("/", "%2F")}`;
  return `hf://${type}s/${id}${at}${path === "" ? "" : `/${path}`}`;
}
