import { expect, test } from "vitest";
import type { Config } from "../../config/config.ts";
import { between, roundConfig } from "./round-config.ts";

function config(rounds: object, more: object = { platform: {} }): Config {
  const options = {
    customization_config: "meta/x@v1+A100",
    hyperparameters: {
      learning_rate: 1,
      warmup_steps: 5,
      dpo: { ref_policy_kl_penalty: 0.1 },
      pairwright: { batch_unit: "prompt" },
    },
    deploy_on_completion: false,
    deployment_config: { gpu: 1, deployment_name: "mine" },
  };
  return {
    file: "config.yml",
    llms: { policy: { name: "policy", options: { model_name: "meta/x" } } },
    effective: { llms: { policy: { model_name: "meta/x" } } },
    trainer_adapters: { adapter: { name: "adapter", options } },
    finetuning: { rounds: { count: 3, start_from: "latest", keep_optimizer: true, ...rounds } },
    split: { validation: 0.2, by: "auto" },
    nim_url: "http://nim/v1",
    ...more,
  } as unknown as Config;
}

const optionsOf = (made: Config) => made.trainer_adapters.adapter?.options as Record<string, Record<string, unknown>>;

test("learning rate and beta go evenly from the first round to the last", () => {
  expect([1, 2, 3].map((round) => between({ first: 2, last: 1 }, round, 3))).toEqual([2, 1.5, 1]);
  expect(between({ first: 2, last: 1 }, 1, 1)).toBe(2);
  const over = [1, 2, 3, 4].map((round) => between({ first: 2, last: 1, over: 3 }, round, 12));
  expect(over).toEqual([2, 1.5, 1, 1]);

  const rounds = { learning_rate: { first: 0.002, last: 0.001 }, beta: { first: 0.5, last: 0.1 } };
  const { hyperparameters } = optionsOf(roundConfig(config(rounds), { round: 3, llm: "policy", latest: "ns/m@2" }));
  expect(hyperparameters).toMatchObject({ learning_rate: 0.001, dpo: { ref_policy_kl_penalty: 0.1 } });
});

test("the first round trains what the configuration names, and keeps its optimiser", () => {
  const made = roundConfig(config({}), { round: 1, llm: "policy", latest: null });

  expect(optionsOf(made).hyperparameters).toEqual({
    learning_rate: 1,
    warmup_steps: 5,
    dpo: { ref_policy_kl_penalty: 0.1 },
    pairwright: { batch_unit: "prompt", save_optimizer: true, early_stopping_patience: null },
  });
  expect(made.llms.policy?.options.model_name).toBe("meta/x");
  expect(made.trainer_adapters.adapter?.options).toMatchObject({
    deploy_on_completion: true,
    deployment_config: { gpu: 1, deployment_name: null },
  });
});

test("later rounds go on from the newest model, compared with the first of all", () => {
  const made = roundConfig(config({}), { round: 2, llm: "policy", latest: "ns/m@cust-1" });

  expect(optionsOf(made).hyperparameters).toMatchObject({
    warmup_steps: 0,
    pairwright: {
      ...{ batch_unit: "prompt", save_optimizer: true },
      ...{ start_from: "ns/m@cust-1", optimizer_from: "ns/m@cust-1", reference_model: "meta/x" },
    },
  });
  expect(made.llms.policy?.options).toEqual({ model_name: "ns/m@cust-1", base_url: "http://nim/v1" });
});

test("with start_from base a job is one that any platform takes", () => {
  const made = roundConfig(config({ start_from: "base" }, {}), { round: 2, llm: "policy", latest: "ns/m@cust-1" });

  expect(optionsOf(made).hyperparameters?.pairwright).toEqual({ batch_unit: "prompt" });
  expect(made.llms.policy?.options.model_name).toBe("ns/m@cust-1");
});

test("going on from the newest model needs the embedded platform", () => {
  expect(() => roundConfig(config({}, {}), { round: 1, llm: "policy", latest: null })).toThrow(
    expect.objectContaining({ code: "rounds_need_platform", exit_code: 2 }),
  );
});

test("rounds are split by prompt unless told: what one of them trained on validates in none", () => {
  const place = { round: 1, llm: "policy", latest: null };
  expect(roundConfig(config({}), place).split).toEqual({ validation: 0.2, by: "prompt" });
  const example = { validation: 0.2, by: "example" };
  expect(roundConfig(config({}, { platform: {}, split: example }), place).split).toEqual(example);
  expect(roundConfig(config({ count: 1 }), place).split).toEqual({ validation: 0.2, by: "auto" });
});
