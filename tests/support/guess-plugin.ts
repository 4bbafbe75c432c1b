import { type Component, definePlugin, llmRef, type Message, type RunContext, z } from "pairwright";

const guessOptions = z.strictObject({
  llm: llmRef(),
  turns: z.int().min(1).default(3),
  candidates: z.int().min(1).default(3),
});

/** Guesses a few times, each time several candidates; a better guess is a higher number. What was taken is told on. */
const guess: Component<"workflow", typeof guessOptions> = {
  description: "guesses numbers",
  options: guessOptions,
  build({ options, llm }) {
    const model = llm(options.llm);
    return async (question: string, context: RunContext) => {
      const taken: string[] = [];
      for (let turn = 0; turn < options.turns; turn += 1) {
        const asked = `Question ${question}, turn ${turn}. So far: ${taken.join("; ") || "nothing"}.`;
        const prompt: Message[] = [
          { role: "system", content: "Guess a number from 0 to 999." },
          { role: "user", content: asked },
        ];
        const { selected } = await context.choose("guess", {
          prompt,
          candidates: options.candidates,
          sample: (messages, { seed, signal }) => model.chat(messages, { seed, signal }),
          score: ({ text }) => guessed(text),
        });
        taken.push(selected.text);
      }
      return { guesses: taken, last: taken.at(-1) };
    };
  },
};

/** The number that a reply begins with; null when it begins with none. */
function guessed(text: string): number | null {
  const number = /^\d+/.exec(text)?.[0];
  return number === undefined ? null : Number(number) / 1000;
}

const leakOptions = z.strictObject({ llm: llmRef(), secrets: z.array(z.string()) });

/** Does everything with the secrets that it is told of that a plugin must not: throws them, returns them, logs them. */
const leak: Component<"workflow", typeof leakOptions> = {
  description: "gives secrets away",
  options: leakOptions,
  build({ options, llm }) {
    const model = llm(options.llm);
    return async (question: string, context: RunContext) => {
      const secrets = options.secrets.map((text) => Buffer.from(text, "base64").toString("utf8"));
      context.log.info(`info: ${secrets}`);
      context.log.warn(`warn: ${secrets}`);
      context.log.debug(`debug: ${secrets}`);
      context.steps.push({ event_type: "CUSTOM_END", name: "leak", data: { output: secrets }, metadata: { secrets } });
      const turn = await context.choose("leak", {
        prompt: [{ role: "user", content: `Question ${question}. ${secrets}` }],
        candidates: 3,
        sample: async (prompt, { index, seed }) => {
          if (index === 2) throw new Error(`sampling with ${secrets}`);
          const { text } = await model.chat(prompt, { seed });
          return { text: `${text} ${secrets}`, metadata: { secrets } };
        },
        score: ({ text, candidate_index }) => ({ score: candidate_index, reason: `because ${text}` }),
      });
      if (question.endsWith("1")) throw new Error(`the workflow failed with ${secrets}`);
      return turn.selected.text;
    };
  },
};

/** What the environment asks for: `KILL_AT=score:3` ends the process without warning when the third score is made. */
const [killStage, killNumber] = (process.env.KILL_AT ?? "").split(":");
const reached: Record<string, number> = {};

function dieAt(stage: string): void {
  reached[stage] = (reached[stage] ?? 0) + 1;
  if (stage === killStage && reached[stage] === Number(killNumber)) process.kill(process.pid, "SIGKILL");
}

const qualityOptions = z.strictObject({ delay_ms: z.number().default(0) });

/** The last guess, from 0 to 1; an output without one is an error that says what the output was. */
const quality: Component<"evaluator", typeof qualityOptions> = {
  description: "the last guess",
  options: qualityOptions,
  build: ({ options }) => ({
    async evaluate({ output }) {
      dieAt("score");
      if (options.delay_ms > 0) await new Promise((resolve) => setTimeout(resolve, options.delay_ms));
      const last = typeof output === "object" ? (output as { last?: unknown } | null)?.last : output;
      const score = guessed(String(last));
      if (score === null) throw new Error(`no guess in ${JSON.stringify(output)}`);
      return { score, reasoning: { last } };
    },
  }),
};

/** Components for tests, with the faults that only a plugin can bring. */
export default definePlugin((registry) => {
  registry.workflow("guess", guess);
  registry.workflow("leak", leak);
  registry.evaluator("quality", quality);

  const usual = registry.find("trajectory_builder", "dpo_traj_builder")?.component;
  if (usual === undefined) throw new Error("there is no dpo_traj_builder to wrap");
  registry.trajectory_builder("mortal_builder", {
    options: usual.options,
    build(args) {
      const builder = usual.build(args) as ReturnType<Component<"trajectory_builder">["build"]>;
      return {
        ...builder,
        pairsOf(turn, skipped) {
          dieAt("pair");
          return builder.pairsOf(turn, skipped);
        },
      };
    },
  });
});
