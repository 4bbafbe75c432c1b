import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { load } from "./__fixtures__/loading.ts";
import { seedRegistry } from "./__fixtures__/registry.ts";
import { configJsonSchema } from "./json-schema.ts";

/** The seeds are not part of the repository; beside a checkout of it they may lie here. */
const SEEDS = new URL("../../../shared/seeds/", import.meta.url);
const env = {
  CUSTOMIZER_HOST: "http://localhost:1",
  DATASTORE_HOST: "http://localhost:2",
  NVIDIA_API_KEY: "none-of-yours",
};

interface Block {
  id: string;
  seed: string;
  text: string;
}

function blocksOf(seed: string): Block[] {
  const lines = readFileSync(new URL(seed, SEEDS), "utf8").split("\n");
  return lines.flatMap((line, index) => {
    const opening = /^( *)```yaml$/.exec(line);
    if (!opening) return [];
    const indent = opening[1]?.length ?? 0;
    const end = lines.findIndex((later, at) => at > index && later.trim() === "```");
    const text = lines
      .slice(index + 1, end)
      .map((inner) => inner.slice(indent))
      .join("\n");
    return [{ id: `${seed.slice(0, 3)}:${index + 1}`, seed, text }];
  });
}

/** A block as a file: laid over the seed's whole configuration, `hyperparameters` put where the seeds have them. */
function asFile({ text }: Block): string {
  if (!text.startsWith("hyperparameters:")) return `base: whole.yml\n${text}\n`;
  return `base: whole.yml\ntrainer_adapters:\n  nemo_adapter:\n    ${text.replaceAll("\n", "\n    ")}\n`;
}

const present = existsSync(SEEDS);
const seeds = present
  ? readdirSync(SEEDS)
      .filter((name) => name.endsWith(".txt"))
      .sort()
  : [];
const blocks = seeds.flatMap(blocksOf);
/** NeMo RL's own configuration, not ours: its keys are data, policy and dpo. */
const FOREIGN = blocks.filter(({ text }) => /^policy:/m.test(text));

/** What a seed configures in all: its one long block, or the nine that its page walks through. */
function wholeOf(seed: string): string {
  const own = blocks.filter((block) => block.seed === seed);
  const complete = own.find(({ text }) => /^llms:/m.test(text) && /^finetuning:/m.test(text));
  return (
    complete?.text ??
    own
      .slice(0, 9)
      .map(({ text }) => text)
      .join("\n")
  );
}

describe.skipIf(!present)(
  "the seeds' YAML (skipped where the folder shared/seeds is not beside the repository)",
  () => {
    test("there are 27 blocks in 3 files, one of them another program's", () => {
      expect(seeds).toHaveLength(3);
      expect(blocks).toHaveLength(27);
      expect(FOREIGN.map(({ id }) => id)).toEqual(["004:270"]);
    });

    test.each(["000", "001"])("the whole configuration of seed %s loads as it stands", async (id) => {
      const seed = seeds.find((name) => name.startsWith(id)) ?? "";
      const config = await load(wholeOf(seed), { env });

      expect(config.finetuning.enabled).toBe(true);
      expect(Object.keys(config.trainer_adapters)).toHaveLength(1);
      expect(config.workflow?.kind).toBe("workflow");
      const check = new Ajv2020({ validateFormats: false }).compile(configJsonSchema(seedRegistry()));
      expect(check(parse(wholeOf(seed)))).toBe(true);
      expect(check(parse(wholeOf(seed).replace("min_score_diff", "min_score_dif")))).toBe(false);
    });

    test.each(blocks.filter((block) => !FOREIGN.includes(block)))("block $id loads in its place", async (block) => {
      const config = await load({ "config.yml": asFile(block), "whole.yml": wholeOf(block.seed) }, { env });

      expect(config.files).toHaveLength(2);
      // Laid over the whole, the fragment is what counts.
      const written = parse(asFile(block)) as Record<string, unknown>;
      for (const section of Object.keys(written).filter((key) => key !== "base"))
        expect(config.effective).toHaveProperty(section);
    });
  },
);
