import { expect, test } from "vitest";
import { z } from "zod";
import { seedRegistry } from "./__fixtures__/registry.ts";
import { describeComponents } from "./describe.ts";

test("components are described from their schemas", () => {
  const [openai] = describeComponents(seedRegistry(), { kind: "llm" });

  expect(openai).toMatchObject({
    kind: "llm",
    type: "openai",
    source: "pairwright",
    description: "A model behind an OpenAI-compatible server.",
  });
  expect(openai?.options).toContainEqual({ name: "model_name", type: "string", required: true, description: "" });
  expect(openai?.options).toContainEqual({
    name: "max_retries",
    type: "integer",
    default: 10,
    required: false,
    description: "",
  });
  expect(openai?.options).toContainEqual({
    name: "temperature",
    type: "number",
    required: false,
    description: "0 is greedy",
  });
  expect(openai?.options).toContainEqual({ name: "stop", type: "string | string[]", required: false, description: "" });
});

test("references, nullable options and choices are told as such", () => {
  const all = describeComponents(seedRegistry());
  const option = (type: string, name: string) =>
    all.find((entry) => entry.type === type)?.options.find((o) => o.name === name)?.type;

  expect(option("ttc_move_selector", "search")).toBe("name of a search");
  expect(option("multi_candidate_move_search", "choose_move_fn")).toBe("name of a function | name of an llm");
  expect(option("multi_candidate_move_search", "fallbacks")).toBe("(name of a function)[]");
  expect(option("dpo_traj_builder", "max_pairs_per_turn")).toBe("integer | null");
  expect(option("nemo_customizer_trainer_adapter", "hyperparameters")).toBe("object");
  expect(all.map(({ kind, type }) => `${kind}/${type}`)).toEqual(all.map(({ kind, type }) => `${kind}/${type}`).sort());
});

test("a query is looked for in types, descriptions and options", () => {
  const types = (query: string) => describeComponents(seedRegistry(), { query }).map((entry) => entry.type);

  expect(types("Compatible")).toEqual(["openai"]);
  expect(types("num_candidates")).toEqual(["multi_candidate_move_search"]);
  expect(types("nothing like it")).toEqual([]);
});

test("the options of an object, and of a list of objects, stand under it, and a query finds them", () => {
  const registry = seedRegistry();
  const options = z.strictObject({
    model: z
      .strictObject({ lora: z.strictObject({ rank: z.int().default(8).describe("of both matrices") }) })
      .nullable(),
    stages: z.array(z.strictObject({ epochs: z.int() })).default([]),
    env: z.record(z.string(), z.string()).prefault({}),
  });
  registry.search("nested", {
    options,
    build: () => {
      throw new Error("not built");
    },
  });

  const [nested] = describeComponents(registry, { query: "rank" });
  expect(nested?.options).toEqual([
    {
      name: "model",
      type: "object | null",
      required: true,
      description: "",
      options: [
        {
          name: "lora",
          type: "object",
          required: true,
          description: "",
          options: [{ name: "rank", type: "integer", default: 8, required: false, description: "of both matrices" }],
        },
      ],
    },
    {
      name: "stages",
      type: "object[]",
      default: [],
      required: false,
      description: "",
      options: [{ name: "epochs", type: "integer", required: true, description: "" }],
    },
    { name: "env", type: "object", default: {}, required: false, description: "" },
  ]);
});
