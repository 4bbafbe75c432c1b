import { pick, type Random } from "../../src/lib/random.ts";

/** A request as bytes: what comes before the first empty line is the head. */
export interface BadRequest {
  method: string;
  path: string;
  /** As text; a lone half of a pair of surrogates becomes U+FFFD on the way. */
  body: string;
  headers: Record<string, string>;
  /** What `Content-Length` says more (or less) than there is. */
  length_off: number;
  /** The body is sent in two halves, with a pause between. */
  slow: boolean;
}

/** Requests that each API answers well, to be spoilt. */
const GOOD: readonly [method: string, path: string, body?: unknown][] = [
  ["POST", "/v1/namespaces", { id: "fuzz", description: "d", custom_fields: { a: "b" } }],
  ["GET", "/v1/namespaces?page=1&page_size=10&sort=-created_at&filter[project]=x&search[id]=a,b"],
  ["PATCH", "/v1/namespaces/default", { description: "d" }],
  ["DELETE", "/v1/namespaces/nobody"],
  [
    "POST",
    "/v1/datasets",
    { name: "d", namespace: "default", files_url: "hf://datasets/default/d", limit: 3, split: "train" },
  ],
  ["GET", "/v1/datasets/default/d"],
  ["PATCH", "/v1/datasets/default/d", { files_url: "hf://datasets/default/e" }],
  [
    "POST",
    "/v1/models",
    {
      name: "m",
      base_model: "local/x",
      spec: { context_size: 1, is_chat: true, num_parameters: 1, num_virtual_tokens: 0 },
    },
  ],
  ["GET", "/v1/models?filter[peft]=true&filter[created_at][gte]=2025-01-01"],
  ["POST", "/v1/projects", { name: "p", namespace: "default" }],
  ["GET", "/v1/projects/default/p"],
  ["GET", "/v1/customization/configs?page=1"],
  [
    "POST",
    "/v1/customization/configs",
    {
      name: "c",
      max_seq_length: 10,
      training_options: [{ training_type: "dpo", finetuning_type: "lora", num_gpus: 1, micro_batch_size: 1 }],
      target: "local/tic-tac-toe@v1.0.0",
    },
  ],
  [
    "POST",
    "/v1/customization/targets",
    { name: "t", num_parameters: 1, precision: "fp32", model_uri: "hf://default/x@main" },
  ],
  ["GET", "/v1/customization/targets/default/t"],
  [
    "POST",
    "/v1/customization/jobs",
    {
      config: "local/tic-tac-toe@v1.0.0+CPU",
      dataset: { name: "d", namespace: "default" },
      hyperparameters: {
        training_type: "dpo",
        finetuning_type: "lora",
        epochs: 1,
        batch_size: 2,
        learning_rate: 1e-4,
        dpo: { ref_policy_kl_penalty: 0.1 },
      },
    },
  ],
  ["GET", "/v1/customization/jobs?namespace=default&filter[status]=running"],
  ["GET", "/v1/customization/jobs/cust-1111/status"],
  ["POST", "/v1/customization/jobs/cust-1111/cancel"],
  [
    "POST",
    "/v1/deployment/configs",
    {
      name: "c",
      namespace: "default",
      model: "default/x",
      nim_deployment: { gpu: 1, image_name: "i", image_tag: "t" },
    },
  ],
  ["POST", "/v1/deployment/model-deployments", { name: "d", namespace: "default", config: "default/none" }],
  ["GET", "/v1/deployment/model-deployments?page_size=5"],
  [
    "POST",
    "/nim/v1/chat/completions",
    {
      model: "local/tic-tac-toe",
      messages: [{ role: "user", content: "hi" }],
      max_tokens: 5,
      temperature: 1,
      n: 2,
      stop: ["a"],
      logprobs: true,
      top_logprobs: 2,
    },
  ],
  [
    "POST",
    "/nim/v1/completions",
    { model: "local/tic-tac-toe", prompt: "hi", max_tokens: 5, logprobs: 1, stream: true },
  ],
  ["GET", "/nim/v1/models"],
  ["POST", "/v1/datastore/namespaces", { namespace: "fuzz" }],
  ["GET", "/v1/datastore/namespaces/fuzz"],
  ["POST", "/v1/hf/api/repos/create", { name: "r", organization: "default", type: "dataset" }],
  ["POST", "/v1/hf/api/datasets/default/r/preupload/main", { files: [{ path: "a.jsonl", sample: "aGk=", size: 2 }] }],
  ["POST", "/v1/hf/api/datasets/default/r/commit/main", { key: "header", value: { summary: "s" } }],
  [
    "POST",
    "/v1/hf/datasets/default/r.git/info/lfs/objects/batch",
    { operation: "upload", transfers: ["basic"], objects: [{ oid: "a".repeat(64), size: 3 }], hash_algo: "sha256" },
  ],
  ["GET", "/v1/hf/api/datasets/default/r/tree/main?recursive=true&expand=false"],
  ["POST", "/v1/hf/api/datasets/default/r/paths-info/main", { paths: ["a.jsonl"] }],
  ["GET", "/v1/hf/datasets/default/r/resolve/main/a.jsonl"],
  ["GET", "/v1/hf/api/datasets/default/r/refs"],
  ["DELETE", "/v1/hf/api/repos/delete", { name: "nobody", organization: "default", type: "dataset" }],
  ["GET", "/v1/hf/api/whoami-v2"],
];

/** How many routes the generator knows. */
export const ROUTES = GOOD.length;

const STRANGE_TEXTS = [
  "",
  " ",
  "../../../etc/passwd",
  "..",
  ".",
  "/etc/passwd",
  "a/../../b",
  "%2e%2e%2f",
  "..%2f..%2f",
  "%00",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "\u202e\u200b\ufeff",
  "𝒳🙂e\u0301",
  "C:\\windows\\x",
  "con",
  ".git/config",
  "__proto__",
  "constructor",
  "a".repeat(300),
  "a".repeat(100_000),
  "' or 1=1; drop table entities; --",
  '"',
  "\r\nX-Injected: 1",
  "hf://datasets/../..",
  "NaN",
  "null",
];
const STRANGE_VALUES: readonly unknown[] = [
  null,
  true,
  [],
  {},
  -1,
  0,
  1e308,
  -1e308,
  2 ** 53,
  0.1,
  [[[[[[]]]]]],
  { a: { b: { c: {} } } },
  [null],
  [1, "a", {}],
];

/** One request that is wrong somewhere, or perhaps only odd. */
export function badRequest(random: Random): BadRequest {
  const [method, path, body] = pick(GOOD, random);
  const request: BadRequest = {
    method,
    path,
    body: body === undefined ? "" : JSON.stringify(body),
    headers: { "content-type": "application/json" },
    length_off: 0,
    slow: false,
  };
  const spoils = 1 + Math.floor(random() * 2);
  for (let index = 0; index < spoils; index += 1) pick(SPOILS, random)(request, random);
  return request;
}

type Spoil = (request: BadRequest, random: Random) => void;

const SPOILS: readonly Spoil[] = [
  // A value somewhere in the body; several times, since most faults lie there.
  spoilBody,
  spoilBody,
  spoilBody,
  spoilBody,
  (request, random) => {
    const parts = request.path.split("/");
    const at = 1 + Math.floor(random() * (parts.length - 1));
    parts[at] = urlText(pick(STRANGE_TEXTS, random), random);
    request.path = parts.join("/").slice(0, 9000);
  },
  (request, random) => {
    const name = pick(
      ["page", "page_size", "sort", "filter[namespace]", "filter[a][b]", "search[", "]", "revision", "cursor"],
      random,
    );
    const value = urlText(pick([...STRANGE_TEXTS, "-1", "1e9", "9".repeat(40)], random), random).slice(0, 2000);
    request.path += `${request.path.includes("?") ? "&" : "?"}${encodeURIComponent(name)}=${value}`;
  },
  (request, random) => {
    request.method = pick(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"], random);
  },
  (request, random) => {
    const at = Math.floor(random() * request.body.length);
    request.body = pick(
      [
        request.body.slice(0, at),
        `${request.body.slice(0, at)}\u0000${request.body.slice(at)}`,
        `${request.body}}`,
        `[${request.body}`,
        "",
        "[".repeat(50_000),
        '{"a":'.repeat(5000),
      ],
      random,
    );
  },
  (request, random) => {
    request.length_off = pick([1, 100, -1, -10], random);
  },
  (request) => {
    request.slow = true;
  },
  (request, random) => {
    const name = pick(
      [
        "content-type",
        "accept",
        "range",
        "if-none-match",
        "authorization",
        "transfer-encoding",
        "expect",
        "content-encoding",
      ],
      random,
    );
    request.headers[name] = pick(
      [
        "",
        "text/plain",
        "bytes=0-",
        "bytes=-5",
        "bytes=9-1",
        "bytes=a-b",
        "*",
        "Bearer ",
        "gzip",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "\u00ff",
      ],
      random,
    );
  },
];

function spoilBody(request: BadRequest, random: Random): void {
  let value: unknown;
  try {
    value = JSON.parse(request.body);
  } catch {
    return;
  }
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  collect(value, places);
  const strange = random() < 0.5 ? pick(STRANGE_TEXTS, random) : pick(STRANGE_VALUES, random);
  if (places.length === 0 || random() < 0.1) {
    request.body = JSON.stringify(strange);
    return;
  }
  const { holder, key } = pick(places, random);
  const what = random();
  if (what < 0.1) delete holder[key];
  else if (what < 0.2) holder[pick([...STRANGE_TEXTS, "surprise"], random)] = strange;
  else holder[key] = strange;
  request.body = JSON.stringify(value);
}

function collect(value: unknown, places: { holder: Record<string, unknown>; key: string }[]): void {
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    places.push({ holder: value as Record<string, unknown>, key });
    collect((value as Record<string, unknown>)[key], places);
  }
}

/** Percent-encoded half of the time; what a request line cannot hold is encoded always. */
function urlText(text: string, random: Random): string {
  const whole = Buffer.from(text).toString();
  if (random() < 0.5) return encodeURIComponent(whole.replace(/[\ud800-\udfff]/g, ""));
  return whole.replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.replace(/[\ud800-\udfff]/g, "")));
}
