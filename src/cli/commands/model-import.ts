import { type ImportedModel, importModel } from "../../engine/weights/import-model.ts";
import { EXIT } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { oneOf } from "../flags.ts";
import { stoppable } from "../stoppable.ts";

const DTYPES = { f32: "F32", bf16: "BF16", f16: "F16" } as const;
type Word = keyof typeof DTYPES;

export const run: CommandRun = async ({ args, flags, terminal }) => {
  const [source = "", dir = ""] = args;
  const dtype = oneOf<Word>(flags, "dtype", Object.keys(DTYPES) as Word[]);
  const model = await stoppable((signal) =>
    importModel(source, dir, {
      dtype: dtype && DTYPES[dtype],
      overwrite: flags.overwrite === true,
      signal,
      onTensor: (done, all) => terminal.status(`${done} of ${all} tensors`),
    }),
  );
  terminal.status(undefined);
  terminal.print(describe(model, dir));
  const { config, tensors, parameters, format, vocab, types } = model;
  terminal.result({ output: dir, format, dtype: wordOf(model), parameters, tensors, vocab, types, config });
  return EXIT.ok;
};

function describe(model: ImportedModel, dir: string): string {
  const { config, parameters, tensors, vocab } = model;
  const of_types = Object.entries(model.types ?? {}).map(([type, n]) => `${n} ${type}`);
  const stored = of_types.length === 0 ? "" : ` (${of_types.join(", ")})`;
  return [
    `${config.model_type}, ${parameters.toLocaleString("en-US")} parameters in ${tensors} tensors${stored}`,
    `tokenizer of ${vocab.toLocaleString("en-US")} tokens; at most ${config.max_position_embeddings} tokens of text`,
    `written to ${dir} in ${wordOf(model)}`,
  ].join("\n");
}

function wordOf({ dtype }: ImportedModel): string {
  return Object.entries(DTYPES).find(([, stored]) => stored === dtype)?.[0] ?? dtype;
}
