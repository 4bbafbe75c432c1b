import { z } from "zod";
import { createHttpClient } from "../lib/http.ts";
import { HttpError } from "../lib/http-error.ts";
import type { ClientIdentity } from "./chat-client.ts";
import { httpOptions } from "./chat-client.ts";
import { statusError, transportError } from "./llm-error.ts";
import type { ModelOptions } from "./options.ts";
import { serverWords } from "./server-words.ts";

const Listed = z.object({
  data: z.array(z.looseObject({ id: z.string(), owned_by: z.string().nullish() })),
});
export type ServedModel = z.output<typeof Listed>["data"][number];

const PATH = "/models";

/** What a server says that it serves; undefined where it has no such list. Costs nothing. Errors: those of a model call. */
export async function listModels(
  options: ModelOptions,
  { key, key_variable }: ClientIdentity,
  signal: AbortSignal,
): Promise<ServedModel[] | undefined> {
  const http = createHttpClient(httpOptions(options, key));
  const where = `GET ${http.endpoint}${PATH}`;
  try {
    const { status, text } = await http.request({ method: "GET", path: PATH, signal });
    if (status === 404 || status === 405 || status === 501) return undefined;
    if (status !== 200) throw statusError(where, status, serverWords(text, [key ?? ""], []), key_variable);
    return Listed.safeParse(asJson(text)).data?.data;
  } catch (error) {
    throw error instanceof HttpError ? transportError(where, error) : error;
  } finally {
    http.close();
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
