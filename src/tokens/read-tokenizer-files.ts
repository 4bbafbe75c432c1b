import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { codeOf, messageOf, usageError } from "../lib/errors.ts";
import { jsonFaultOffset } from "../lib/json-text.ts";

const AddedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof AddedToken>;

/** A step of a tokenizer: its `type` says which, the other keys are its own. */
export const Step = z.looseObject({
  type: z.string(),
  get pretokenizers(): z.ZodOptional<z.ZodArray<typeof Step>> {
    return z.array(Step).optional();
  },
  get normalizers(): z.ZodOptional<z.ZodArray<typeof Step>> {
    return z.array(Step).optional();
  },
  get decoders(): z.ZodOptional<z.ZodArray<typeof Step>> {
    return z.array(Step).optional();
  },
});
export type Step = z.infer<typeof Step>;

const TokenizerJson = z.looseObject({
  added_tokens: z.array(AddedToken).default([]),
  normalizer: Step.nullable().default(null),
  pre_tokenizer: Step.nullable().default(null),
  decoder: Step.nullable().default(null),
  model: z.looseObject({
    type: z.string().optional(),
    unk_token: z.string().nullish(),
    // Tens of thousands of entries: which ids there are is looked at when they are counted.
    vocab: z.custom<Record<string, number> | [string, number][]>(
      (value) => typeof value === "object" && value !== null,
      "a table of tokens and ids is missing",
    ),
  }),
});
/** `tokenizer.json` of the `tokenizers` library, as far as it is read here. */
export type TokenizerJson = z.infer<typeof TokenizerJson>;

const SpecialToken = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
const SpecialTokens = z.looseObject({
  ...Object.fromEntries(NAMES.map((name) => [name, SpecialToken.nullish()])),
  additional_special_tokens: z.union([z.array(SpecialToken), z.record(z.string(), SpecialToken)]).nullish(),
});

const EosIds = z.looseObject({
  eos_token_id: z
    .union([z.int().nonnegative(), z.array(z.int().nonnegative())])
    .nullish()
    .transform((ids) => (ids === null || ids === undefined ? [] : [ids].flat())),
});

/** What a model's folder says about its tokenizer. */
export interface TokenizerFiles {
  /** Path of `tokenizer.json`. */
  path: string;
  tokenizer: TokenizerJson;
  /** By name: `bos_token`, `eos_token`, ... */
  special_tokens: Record<string, string>;
  /** Special tokens without a name of their own. */
  additional_special_tokens: string[];
  /** Ids that end a text, of `generation_config.json` and `config.json`. */
  eos_token_ids: number[];
}

/**
 * Reads the tokenizer's files of a Hugging Face folder. Only `tokenizer.json` must be there. Errors: `tokenizer_missing`,
 * `tokenizer_broken` (not JSON, or not what the file should hold), each with the file's path.
 */
export async function readTokenizerFiles(dir: string): Promise<TokenizerFiles> {
  const path = join(dir, "tokenizer.json");
  const tokenizer = await readJson(path, TokenizerJson);
  if (tokenizer === null) throw missing(path);
  const named = await readSpecialTokens(dir);
  const eos_token_ids: number[] = [];
  for (const name of ["generation_config.json", "config.json"]) {
    eos_token_ids.push(...((await readJson(join(dir, name), EosIds))?.eos_token_id ?? []));
  }
  return { path, tokenizer, ...named, eos_token_ids };
}

/** The texts of the special tokens that a folder's files name. */
export async function readSpecialTokens(
  dir: string,
): Promise<Pick<TokenizerFiles, "special_tokens" | "additional_special_tokens">> {
  // The configuration's word counts more than the older map's.
  const maps = [
    await readJson(join(dir, "special_tokens_map.json"), SpecialTokens),
    await readJson(join(dir, "tokenizer_config.json"), SpecialTokens),
  ];
  const special_tokens: Record<string, string> = {};
  const additional = new Set<string>();
  for (const map of maps) {
    for (const name of NAMES) {
      const token = map?.[name];
      if (typeof token === "string") special_tokens[name] = token;
    }
    for (const token of Object.values(map?.additional_special_tokens ?? {})) additional.add(token);
  }
  return { special_tokens, additional_special_tokens: [...additional] };
}

/** The text of a file, or `null` when it is not there. */
export async function readTextIfThere(path: string): Promise<string | null> {
  try {
    const text = await readFile(path, "utf8");
    return text.startsWith("\uFEFF") ? text.slice(1) : text;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw usageError({
      code: "tokenizer_unreadable",
      where: path,
      what: `the file cannot be read (${code ?? messageOf(error)})`,
      fix: "give a folder whose files can be read",
      cause: error,
    });
  }
}

/** The value of a JSON file, or `null` when the file is not there. */
export async function readJson<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T> | null> {
  const text = await readTextIfThere(path);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const offset = jsonFaultOffset(text);
    const at = offset === undefined ? "" : ` from character ${offset + 1} of ${text.length} on`;
    throw broken(path, text.trim() === "" ? "the file is empty" : `the file is not JSON${at}`, cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = issue?.path.slice(0, 4).join(".") ?? "";
  throw broken(path, `${key === "" ? "the file" : `"${key}"`} is not what it should be: ${issue?.message}`);
}

function missing(path: string) {
  return usageError({
    code: "tokenizer_missing",
    where: path,
    what: "there is no such file, so the folder has no tokenizer",
    fix: "give a Hugging Face model folder; older ones get a tokenizer.json by loading and saving them with transformers",
  });
}

function broken(path: string, what: string, cause?: unknown) {
  return usageError({
    code: "tokenizer_broken",
    where: path,
    what,
    fix: "copy or download the file again",
    cause,
  });
}
