import { createHash } from "node:crypto";

/** A file of a commit, as clients send it. */
export function fileLine(path: string, bytes: string | Buffer): string {
  return JSON.stringify({ key: "file", value: { content: Buffer.from(bytes).toString("base64"), path, encoding: "base64" } });
}

export function commitText(summary: string, ...lines: (string | object)[]): string {
  const header = { key: "header", value: { summary } };
  return [header, ...lines].map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
}

export const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

/** The hub of a platform: requests relative to `/v1/hf`. */
export function hubAt(origin: string, token?: string) {
  const base = `${origin}/v1/hf`;
  const guard = token === undefined ? {} : { authorization: `Bearer ${token}` };
  async function ask(method: string, path: string, body?: string | object | Buffer, headers: Record<string, string> = {}) {
    const answer = await fetch(path.startsWith("http") ? path : base + path, {
      method,
      headers: { ...guard, ...headers },
      ...(body !== undefined && { body: typeof body === "object" && !Buffer.isBuffer(body) ? JSON.stringify(body) : body }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    // biome-ignore lint: tests look into answers of every shape
    const json: any = isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined;
    return { status: answer.status, headers: answer.headers, bytes, body: json };
  }
  return {
    ask,
    create: (id: string, type = "dataset") =>
      ask("POST", "/api/repos/create", { organization: id.split("/")[0], name: id.split("/")[1], type }),
    commit: (id: string, ...lines: (string | object)[]) =>
      ask("POST", `/api/datasets/${id}/commit/main`, commitText("c", ...lines)),
    async paths(id: string, revision = "main"): Promise<string[]> {
      const { body } = await ask("GET", `/api/datasets/${id}/tree/${revision}?recursive=true`);
      return body.filter(({ type }: { type: string }) => type === "file").map(({ path }: { path: string }) => path);
    },
  };
}
