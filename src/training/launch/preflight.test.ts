import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyTokenizer } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { nemoRlInput, trlInput } from "./__fixtures__/launch-inputs.ts";
import type { LaunchFinding } from "./launch-plan.ts";
import { preflight, refuseFailed } from "./preflight.ts";

/** The tiny tokenizer without the system's messages, as templates of some models are. */
const NO_SYSTEM = `{%- for message in messages %}{%- if message.role != 'system' %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-preflight-"));
  await writeTinyTokenizer(join(dir, "model"));
  await writeTinyTokenizer(join(dir, "no-system"), { "chat_template.jinja": NO_SYSTEM });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let files = 0;
async function fileOf(rows: readonly object[]) {
  files += 1;
  const path = join(dir, `rows-${files}.jsonl`);
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return { path, rows: rows.length };
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string, more: object = {}) => ({ role: "assistant", content, ...more });
const binary = (index: number, changes: object = {}) => ({
  prompt: `Play ${index}`,
  chosen: "good move",
  rejected: "bad move",
  ...changes,
});
const messages = (index: number, changes: object = {}) => ({
  prompt: [user(`Play ${index}`)],
  chosen: [assistant("good move")],
  rejected: [assistant("bad move")],
  ...changes,
});
const several = (row: (index: number) => object, count: number) => Array.from({ length: count }, (_, at) => row(at));

interface Case {
  rows: readonly object[];
  validation?: readonly object[];
  options?: object;
}

async function look(target: "nemo-rl" | "trl", { rows, validation = rows, options = {} }: Case) {
  const more = {
    output: join(dir, "trained"),
    files: { training: await fileOf(rows), validation: await fileOf(validation) },
    options: { model_name: join(dir, "model"), hyperparameters: { batch_size: 4, epochs: 1 }, ...options },
  };
  return await preflight(target === "trl" ? trlInput(more) : nemoRlInput(more));
}

const failures = (findings: readonly LaunchFinding[]) =>
  findings.flatMap(({ status, code, detail }) => (status === "failed" ? [{ code, detail }] : []));

test("what is as it should be is said, and refused nothing", async () => {
  const others = several((index) => binary(index + 9), 9);
  const findings = await look("nemo-rl", { rows: several(binary, 9), validation: others });
  expect(findings.map(({ name, status, detail }) => [name, status, detail])).toEqual([
    ["checkpoint_metric", "ok", "the validation's loss"],
    ["paths", "ok", "absolute, and of a kind that is known"],
    ["output", "ok", `${join(dir, "trained")} has no checkpoint yet`],
    ["tokenizer", "ok", `of ${join(dir, "model")}`],
    ["dataset", "ok", "9 pairs to train on, 9 to validate with"],
    ["batch", "ok", "2 steps of 4 pairs"],
    ["shared_prompts", "ok", "none of 9 prompts to validate with is trained on"],
    ["chat_template", "ok", "it writes all messages of every row"],
    ["lengths", "ok", expect.stringMatching(/^up to \d+ tokens of 1024$/)],
    ["sides", "ok", "chosen and rejected differ in every pair"],
  ]);
  expect(() => refuseFailed(findings)).not.toThrow();
});

test("prompts that are trained on and validated with are a warning, with their count, their lines and both files", async () => {
  const rows = [...several(binary, 9), binary(7, { chosen: "another", rejected: "bad" })];
  const validation = [...several((index) => binary(index + 20), 3), binary(7), binary(7), binary(2)];
  // The same words, as messages whose keys stand in another order.
  validation.push(binary(0, { prompt: [{ content: "Play 4", role: "user" }] }));
  const findings = await look("nemo-rl", { rows, validation });
  const leak = findings.find(({ name }) => name === "shared_prompts");
  expect(leak).toMatchObject({ status: "warning", code: null });
  expect(leak?.detail).toMatch(
    /^3 of 6 prompts to validate with \(lines 4, 6, 7 of \S+\/rows-(\d+)\.jsonl\) are among those to train on \(\S+\/rows-(\d+)\.jsonl\): .* split: \{by: prompt\}/,
  );
  expect(() => refuseFailed(findings)).not.toThrow();
  expect(JSON.stringify(findings)).not.toContain("Play");

  const text = (index: number) => ({ prompt: `Play ${index}`, chosen: "good", rejected: "bad" });
  const texts = await look("trl", {
    ...{ rows: several(text, 9), validation: [text(3), text(30)], options: { dataset_format: "trl" } },
  });
  expect(texts.find(({ name }) => name === "shared_prompts")?.detail).toMatch(/^1 of 2 .* \(line 1 of .* is among/);
});

test("fewer pairs than one batch are refused: NeMo RL would make no step and exit with 0", async () => {
  const findings = await look("nemo-rl", { rows: several(binary, 3) });
  expect(failures(findings)).toEqual([
    {
      code: "too_few_pairs",
      detail:
        "3 pairs are fewer than one batch of 4: NeMo RL would make no step, and end as if all were well; lower batch_size or collect more",
    },
  ]);
  expect(() => refuseFailed(findings)).toThrow(expect.objectContaining({ code: "too_few_pairs", exit_code: 2 }));
});

test("pairs that NeMo RL would mask for their length count for no batch", async () => {
  const long = "One Two Three ".repeat(20);
  const rows = [...several(binary, 3), binary(3, { rejected: long })];
  const options = { max_length: 40 };
  const findings = await look("nemo-rl", { rows, validation: several(binary, 2), options });
  expect(failures(findings).map(({ code }) => code)).toEqual(["too_few_pairs"]);
  expect(failures(findings)[0]!.detail).toMatch(/^3 of 4 pairs can be trained on, which are fewer than one batch of 4/);
  expect(findings.find(({ name }) => name === "reply_lengths")).toMatchObject({
    status: "warning",
    detail: expect.stringMatching(
      /^replies of 1 of 4 training rows \(line 4 of .*\.jsonl\) are over 40 tokens .*counts such a pair for nothing$/,
    ),
  });
});

test("a missing validation is refused before any row is read", async () => {
  const findings = await look("trl", { rows: several(messages, 4), validation: [] });
  expect(failures(findings).map(({ code }) => code)).toEqual(["validation_missing"]);
});

test("prompts that leave no room for a reply are refused with their lines, in the model's own tokens", async () => {
  const prompt = "One Two Three ".repeat(20);
  for (const [target, row, long] of [
    ["nemo-rl", binary, { prompt }],
    ["trl", messages, { prompt: [user(prompt)] }],
  ] as const) {
    const rows = [...several(row, 4), row(4, long), row(5, long)];
    const found = failures(await look(target, { rows, validation: rows.slice(0, 4), options: { max_length: 40 } }));
    expect(found.map(({ code }) => code)).toEqual(["prompts_too_long"]);
    expect(found[0]!.detail).toMatch(
      /^prompts of 2 of 6 training rows \(lines 5, 6 of .*\.jsonl\) leave no room for a reply in 40 tokens/,
    );
  }
});

test("pairs that become equal, when they are templated or when they are cut, are refused", async () => {
  const shared = "One Two Three ".repeat(20);
  const cut = messages(4, { chosen: [assistant(`${shared}good`)], rejected: [assistant(`${shared}bad`)] });
  const rows = [...several(messages, 4), cut];
  const found = failures(await look("trl", { rows, validation: rows.slice(0, 4), options: { max_length: 40 } }));
  expect(found.map(({ code }) => code)).toEqual(["pairs_identical"]);
  expect(found[0]!.detail).toMatch(
    /^chosen and rejected are the same tokens in 1 of 5 training rows \(line 5 of .*\.jsonl\)/,
  );

  const templated = messages(4, {
    chosen: [assistant("Yes", { reasoning_content: "a" })],
    rejected: [assistant("Yes")],
  });
  const again = failures(await look("trl", { rows: [...several(messages, 4), templated] }));
  expect(again.map(({ code }) => code)).toEqual(["pairs_identical"]);
});

test("a chat template that leaves out a role is refused, by the role", async () => {
  const rows = several(
    (index) => binary(index, { prompt: [{ role: "system", content: "You play" }, user("Play")] }),
    4,
  );
  const options = { model_name: join(dir, "no-system") };
  const found = failures(await look("nemo-rl", { rows, options }));
  expect(found).toEqual([
    {
      code: "template_drops_role",
      detail: expect.stringMatching(
        /^the model's chat template leaves out messages of the role system \(of 4 of 4 training rows \(lines 1, 2, 3, 4 of \S+\) and 4 of 4 validation rows \(lines 1, 2, 3, 4 of \S+\)\)/,
      ),
    },
  ]);
});

test("calls of tools and the tools are looked for, too", async () => {
  const tools = JSON.stringify([{ type: "function", function: { name: "find_city", parameters: {} } }]);
  const calls = [{ id: "a", type: "function", function: { name: "find_city", arguments: { name: "New York" } } }];
  const rows = several((index) => messages(index, { tools, chosen: [assistant("", { tool_calls: calls })] }), 4);
  expect(failures(await look("trl", { rows }))).toEqual([]);
  const found = failures(await look("trl", { rows, options: { model_name: join(dir, "no-system") } }));
  expect(found.map(({ code }) => code)).toEqual(["template_drops_role"]);
  expect(found[0]!.detail).toContain("calls of tools (of 4 of 4 training rows");
  expect(found[0]!.detail).toContain("the tools (of 4 of 4 training rows");
});

test("rows of another format are refused by line, with the format that they have", async () => {
  const asked = [
    ["nemo-rl", several(messages, 4), {}, "trl-conversational"],
    ["nemo-rl", several(binary, 4), { dataset_format: "nemo-rl-ranked" }, "nemo-rl-binary"],
    ["trl", several(binary, 4), {}, "nemo-rl-binary"],
    ["trl", several(messages, 4), { dataset_format: "trl" }, "trl-conversational"],
  ] as const;
  expect(asked).toHaveLength(4);
  for (const [target, rows, options, format] of asked) {
    const found = failures(await look(target, { rows, options }));
    expect(found.map(({ code }) => code)).toEqual(["wrong_dataset_format"]);
    expect(found[0]!.detail).toMatch(new RegExp(`:1: this is no row for .*; it is a row of the format ${format}`));
  }

  const ranked = (index: number) => ({
    context: [user(`Play ${index}`)],
    completions: [
      { rank: 1, completion: [assistant("bad")] },
      { rank: 0, completion: [assistant("good")] },
    ],
  });
  const options = { dataset_format: "nemo-rl-ranked" };
  expect(failures(await look("nemo-rl", { rows: several(ranked, 4), options }))).toEqual([]);
  const named = failures(await look("nemo-rl", { rows: [{ ...ranked(0), task_name: "mine" }], options }));
  expect(named[0]).toMatchObject({ code: "wrong_dataset_format", detail: expect.stringContaining('"task_name"') });
});

test("a metric that the trainer does not have is refused, and one that it has is not", async () => {
  const metric = async (target: "nemo-rl" | "trl", checkpoint_metric: string) => {
    const rows = target === "trl" ? several(messages, 4) : several(binary, 4);
    return failures(await look(target, { rows, options: { checkpoint_metric } }));
  };
  expect(await metric("nemo-rl", "val:validation-default_accuracy")).toEqual([]);
  expect(await metric("trl", "eval_rewards/margins")).toEqual([]);
  expect(await metric("nemo-rl", "val_loss")).toMatchObject([{ code: "metric_unknown" }]);
  expect(await metric("trl", "eval_rewards/margin")).toEqual([
    {
      code: "metric_unknown",
      detail:
        'TRL has no metric "eval_rewards/margin", and would stop at its first checkpoint. Did you mean "eval_rewards/margins"?',
    },
  ]);
});

test("paths that NeMo RL takes for names of the hub are refused", async () => {
  const { path, rows } = await fileOf(several(binary, 4));
  const training = (name: string) =>
    preflight(nemoRlInput({ files: { training: { path: name, rows }, validation: { path, rows } } }));
  expect(failures(await training("./train.jsonl"))).toMatchObject([{ code: "path_unusable" }]);
  expect(failures(await training("/shared/train.jsonl.gz"))).toMatchObject([{ code: "path_unusable" }]);
  const model = await look("trl", { rows: several(messages, 4), options: { model_name: "./model" } });
  expect(failures(model)).toMatchObject([{ code: "path_unusable" }]);
});

test("without the tokenizer what can be known is, and the rest is said to be unknown", async () => {
  const findings = await look("nemo-rl", { rows: several(binary, 3), options: { model_name: "Qwen/Qwen2.5-1.5B" } });
  expect(findings.find(({ name }) => name === "tokenizer")).toMatchObject({ status: "unknown" });
  expect(failures(findings).map(({ code }) => code)).toEqual(["too_few_pairs"]);
});

test("a model without a chat template, or with a broken tokenizer, is a finding", async () => {
  await writeTinyTokenizer(join(dir, "no-template"), { "chat_template.jinja": null });
  const missing = await look("trl", { rows: several(messages, 4), options: { model_name: join(dir, "no-template") } });
  expect(failures(missing).map(({ code }) => code)).toEqual(["template_missing"]);
  await writeTinyTokenizer(join(dir, "broken"), { "tokenizer.json": "{" });
  const broken = await look("trl", { rows: several(messages, 4), options: { model_name: join(dir, "broken") } });
  expect(failures(broken).map(({ code }) => code)).toEqual(["tokenizer_broken"]);
});

test("a line that is no JSON and a file that is not there are findings without the row's words", async () => {
  const path = join(dir, "broken.jsonl");
  await writeFile(path, '{"prompt": "secret words"\n');
  const missing = { path: join(dir, "missing.jsonl"), rows: 4 };
  const [training, validation] = [{ path, rows: 4 }, await fileOf(several(binary, 4))];
  const broken = await preflight(nemoRlInput({ files: { training, validation } }));
  expect(failures(broken)).toMatchObject([{ code: "bad_line" }]);
  expect(JSON.stringify(broken)).not.toContain("secret");
  const gone = await preflight(nemoRlInput({ files: { training: missing, validation: missing } }));
  expect(failures(gone)).toMatchObject([{ code: "dataset_unreadable" }]);
});

test("a folder whose last checkpoint is of the last step is refused: the trainer would do nothing", async () => {
  const output = join(dir, "done");
  const input = trlInput({
    output,
    files: { training: await fileOf(several(messages, 4)), validation: await fileOf(several(messages, 4)) },
    options: { model_name: join(dir, "model"), hyperparameters: { batch_size: 4, epochs: 1 } },
  });
  await mkdir(join(output, "checkpoints", "checkpoint-1"), { recursive: true });
  const header = Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]);
  const checkpoint = join(output, "checkpoints", "checkpoint-1");
  await writeFile(join(checkpoint, "model.safetensors"), Buffer.concat([header, Buffer.from("{}")]));
  await writeFile(join(checkpoint, "config.json"), "{}");
  await writeFile(join(checkpoint, "trainer_state.json"), '{"global_step": 1}');
  expect(failures(await preflight(input))).toMatchObject([{ code: "already_trained" }]);
});
