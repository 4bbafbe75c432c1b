import { z } from "zod";

const OPENAI_URL = "https://api.openai.com/v1";
const NVIDIA_URL = "https://integrate.api.nvidia.com/v1";

const Status = z.union([
  z.int().min(401, "a 400 is never retried: the same request is refused again").max(599),
  z.enum(["4xx", "5xx"]),
]);

/** Prices in US dollars per million tokens. */
const Price = z.strictObject({
  prompt: z.number().nonnegative().describe("per million prompt tokens, in US dollars"),
  completion: z.number().nonnegative().describe("per million completion tokens, in US dollars"),
  cached: z
    .number()
    .nonnegative()
    .optional()
    .describe("per million prompt tokens that the provider's own cache answered; the prompt's price unless told"),
});
export type Price = z.output<typeof Price>;

const shared = {
  model_name: z.string().min(1).describe("the model, by the server's name for it"),
  api_key: z
    .string()
    .optional()
    .meta({ secret: true, description: "the key; unless told, from the environment. None is sent when there is none" }),
  temperature: z.number().min(0).max(2).optional().describe("sampling temperature; the server's default unless told"),
  top_p: z.number().min(0).max(1).optional().describe("nucleus sampling; the server's default unless told"),
  seed: z.int().optional().describe("sampling seed of every call that brings none of its own"),
  stop: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("texts that end a reply"),
  n: z.int().min(1).max(128).optional().describe("replies to draw in one call; a server may give fewer"),
  request_timeout: z
    .number()
    .positive()
    .default(120)
    .describe("seconds for one request, connecting and the whole reply included"),
  max_retries: z.int().min(0).optional().describe("further tries after the first; 5 unless told"),
  num_retries: z.int().min(0).optional().describe("the same by its other name; max_retries wins"),
  do_auto_retry: z.boolean().default(true).describe("false tries each request once"),
  retry_on_status_codes: z
    .array(Status)
    .default([408, 409, 429, "5xx"])
    .describe("answers that are worth another try; 400 never is"),
  retry_on_errors: z
    .array(z.string().min(1))
    .default([])
    .describe("further errors worth another try: those whose text holds one of these, in any case"),
  verify_ssl: z.boolean().default(true).describe("false accepts any certificate"),
  extra_body: z
    .record(z.string(), z.unknown())
    .refine((body) => body.stream !== true, "streaming is not supported: leave stream out")
    .optional()
    .describe("further fields of every request, passed through as they are"),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({ secret: true, description: "further headers of every request" }),
  price: Price.optional().describe("what tokens cost; without it no cost is reckoned"),
  api_type: z
    .enum(["chat_completion", "responses"])
    .refine((type) => type !== "responses", 'the "responses" API is not supported: use chat_completion')
    .default("chat_completion")
    .describe("the server's API: chat_completion is the only one"),
  merge_calls: z
    .boolean()
    .default(false)
    .describe(
      "calls made at one moment that differ in their seed alone go as one request with n choices; " +
        "the embedded platform, where this is the default, answers each as if it had been sent alone",
    ),
  max_concurrency: z
    .int()
    .positive()
    .optional()
    .describe("requests in flight at once; further ones wait, outside their time limit. Unbounded unless told"),
};

const url = (fallback: string) =>
  z
    .url({ protocol: /^https?$/, error: "must be a URL that begins with http:// or https://" })
    .default(fallback)
    .describe("where the server's API begins, without /chat/completions");

const maxTokens = z.int().positive();

/** `_type: openai`: any server that speaks OpenAI's chat completions. */
export const OpenaiOptions = z.strictObject({
  ...shared,
  base_url: url(OPENAI_URL),
  max_tokens: maxTokens.optional().describe("the longest reply; the server's default unless told"),
});
export type OpenaiOptions = z.output<typeof OpenaiOptions>;

/** `_type: nim`: NVIDIA's inference microservices, hosted or one's own. */
export const NimOptions = z.strictObject({
  ...shared,
  base_url: url(NVIDIA_URL),
  max_tokens: maxTokens.default(300).describe("the longest reply"),
});

/** What the client of either type runs on. */
export type ModelOptions = OpenaiOptions;
