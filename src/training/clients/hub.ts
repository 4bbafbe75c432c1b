import { z } from "zod";
import type { RepoCreate } from "../wire/hub.ts";
import { type CommitEdit, commitBody } from "./commit-body.ts";
import { type FileIdentity, fileIdentity } from "./file-identity.ts";
import { HUB, preupload, type WantedFile } from "./preupload.ts";
import { oddAnswer, type Service } from "./service.ts";

const TreeItem = z.object({
  type: z.string(),
  path: z.string(),
  oid: z.string(),
  lfs: z.object({ oid: z.string() }).nullish(),
});
const Committed = z.object({ commitOid: z.string().nullish() });
const Revision = z.object({ sha: z.string() });

/** A file that a repository holds. `oid` is Git's; `sha256` is that of a large file's bytes. */
export interface RepositoryFile {
  path: string;
  oid: string;
  sha256: string | null;
}

/** Client of the Hugging Face Hub API of the Datastore, as far as data sets need it. */
export function hubClient(service: Service) {
  const api = (repository: string) => `${HUB}/api/datasets/${repository}`;

  async function files(repository: string, signal: AbortSignal): Promise<RepositoryFile[]> {
    const found: RepositoryFile[] = [];
    let path: string | undefined = `${api(repository)}/tree/main?recursive=true&expand=false`;
    while (path !== undefined) {
      const { status, body, headers } = await service.call({ method: "GET", path, accept: [404], signal });
      // A repository without a commit may have no such branch.
      if (status === 404) return found;
      const items = z.array(TreeItem).safeParse(body);
      if (!items.success) throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer is no list of files");
      for (const { type, path, oid, lfs } of items.data) {
        if (type === "file") found.push({ path, oid, sha256: lfs?.oid ?? null });
      }
      path = nextPage(headers.link, service.endpoint);
    }
    return found;
  }

  /** The newest commit of `main`; null where the hub does not say. */
  async function head(repository: string, signal: AbortSignal): Promise<string | null> {
    const path = `${api(repository)}/revision/main`;
    const { body } = await service.call({ method: "GET", path, accept: [404], signal });
    return Revision.safeParse(body).data?.sha ?? null;
  }

  return {
    files,
    head,

    /** A repository that is there already is no error. */
    async createRepository(namespace: string, name: string, signal: AbortSignal): Promise<void> {
      const body: z.input<typeof RepoCreate> = { name, organization: namespace, type: "dataset" };
      const path = `${HUB}/api/repos/create`;
      await service.call({ method: "POST", path, body, accept: [409], repeatable: true, signal });
    },

    /**
     * Makes `main` hold these files, and no more those of `gone`, in one commit; none where that is so already, by
     * content. Gives the commit's id.
     */
    async put(
      repository: string,
      wanted: readonly WantedFile[],
      gone: readonly string[],
      { summary, signal }: { summary: string; signal: AbortSignal },
    ): Promise<{ commit: string | null; uploaded: string[] }> {
      const there = await files(repository, signal);
      const known = await Promise.all(wanted.map(async (file) => ({ ...file, ...(await fileIdentity(file.file)) })));
      const missing = known.filter((file) => !there.some((other) => isSame(file, other)));
      const deleted = there.filter(({ path }) => gone.includes(path));
      if (missing.length === 0 && deleted.length === 0) return { commit: await head(repository, signal), uploaded: [] };
      const edits = [
        ...(missing.length > 0 ? await preupload(service, repository, missing, signal) : []),
        ...deleted.map(({ path }): CommitEdit => ({ do: "delete", path })),
      ];
      const { body } = await service.call({
        ...{ method: "POST", path: `${api(repository)}/commit/main`, signal },
        body: commitBody(summary, edits),
        headers: { "Content-Type": "application/x-ndjson" },
      });
      const commit = Committed.safeParse(body).data?.commitOid || (await head(repository, signal));
      return { commit, uploaded: missing.map(({ path }) => path) };
    },
  };
}
export type HubClient = ReturnType<typeof hubClient>;

function isSame(file: WantedFile & FileIdentity, other: RepositoryFile): boolean {
  return (
    file.path === other.path && (other.sha256 === null ? file.git_oid === other.oid : file.sha256 === other.sha256)
  );
}

/** `<https://host/path?cursor=x>; rel="next"`, as a path of this service. */
function nextPage(link: string | string[] | undefined, endpoint: string): string | undefined {
  const found = /<([^>]+)>;\s*rel="?next"?/.exec(String(link ?? ""))?.[1];
  if (found === undefined) return undefined;
  const url = new URL(found, `${endpoint}/`);
  const prefix = new URL(endpoint).pathname.replace(/\/$/, "");
  return (url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname) + url.search;
}
