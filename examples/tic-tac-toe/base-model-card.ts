import { BATCH, CONFIG, DEVIATION, STEPS } from "./base-model-recipe.ts";
import { phrases, vocabulary } from "./base-model-tokenizer.ts";
import type { LineCounts } from "./evaluate-model-lines.ts";
import type { ModelReport } from "./evaluate-model-report.ts";

/** The card of the base model: how it was made, and what it does by measurement. */
export function modelCard(report: ModelReport, { sha256, bytes }: { sha256: string; bytes: number }): string {
  const { temperature_1, sampled, greedy, positions } = report;
  return `---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# A player of tic-tac-toe that knows the rules and nothing else

Made by \`make-base-model.ts\` of this example, from nothing: no other model, no data but games it plays itself. It answers a position
with a legal move and chooses like a player at random, so that there is something to learn from preferences.

| | |
| --- | --- |
| model | Llama, ${CONFIG.num_hidden_layers} layers of ${CONFIG.hidden_size}, ${CONFIG.num_attention_heads} heads, MLP ${CONFIG.intermediate_size}, tied embeddings, \`rope_theta\` ${CONFIG.rope_theta}, context ${CONFIG.max_position_embeddings} |
| size | ${parameterCount().toLocaleString("en-US")} parameters, F32, ${bytes.toLocaleString("en-US")} bytes |
| tokenizer | ${vocabulary().size} entries: 6 control tokens, ${phrases().length} phrases of the game's prompts and replies (one a board row), 256 bytes for any other text |
| first weights | normal, deviation ${DEVIATION}; norms 1 |
| training | SFT on random games, a row a turn of either side with a random legal move: ${STEPS} steps of ${BATCH} rows, AdamW (0.9, 0.95), learning rate 4e-3, 30 steps of warm-up, cosine to 5 %, norms clipped at 1 |
| one row in ten | asks again after a square that was taken, as this example does with illegal replies |

A position is asked in nine tokens and answered in four:

\`\`\`
<|begin|><|system|>You play X in tic-tac-toe. Reply with one move as XML.<|user|>  1 2 3
1 X _ O
2 _ X _
3 _ _ O
<|assistant|><move>
  <row>3</row>
  <col>1</col>
</move><|end|>
\`\`\`

## Measured

Over all ${positions.toLocaleString("en-US")} positions that a game can come to (\`evaluate-model.ts\`):

| | temperature 1, exact | as the game reads it, sampled | greedy |
| --- | --- | --- | --- |
| well-formed | ${percent(temperature_1.well_formed)} | ${percent(sampled.well_formed)} | ${percent(greedy.well_formed)} |
| legal | ${percent(temperature_1.legal)} | ${percent(sampled.legal)} | ${percent(greedy.legal)} |
| keeps the position's value (a legal move at random: 57.97 %) | ${percent(temperature_1.keeps_value)} | ${percent(sampled.keeps_value)} | ${percent(greedy.keeps_value)} |

Greedy play against every line that an opponent can choose, from the empty board:

| | lines | won | drawn | lost | lost against a random opponent |
| --- | --- | --- | --- | --- | --- |
${lineRow("as X", report.as_x)}
${lineRow("as O", report.as_o)}

## Made again

The same bytes each time on one kind of machine (seed 0, one thread). On x64 with AVX-512 and onnxruntime-node 1.30 the SHA-256 of
\`model.safetensors\` is \`${sha256}\`. Another processor may round otherwise; the figures are then near these.

It speaks of nothing but tic-tac-toe. Text that is not made of its phrases it can read and write, but has never seen.
`;
}

function parameterCount(): number {
  const { vocab_size, hidden_size, intermediate_size, num_hidden_layers } = CONFIG;
  const layer = 4 * hidden_size ** 2 + 3 * hidden_size * intermediate_size + 2 * hidden_size;
  return vocab_size * hidden_size + num_hidden_layers * layer + hidden_size;
}

function lineRow(name: string, { lines, wins, draws, losses, against_random }: LineCounts): string {
  return `| ${name} | ${lines} | ${wins} | ${draws} | ${losses} | ${percent(against_random.losses)} |`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
