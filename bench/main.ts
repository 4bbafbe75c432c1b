/** Runs the benchmarks, or those named: `npm run bench -- collect help`. Each prints the machine it ran on. */
const BENCHMARKS: Record<string, () => Promise<unknown>> = {
  help: () => import("./help.ts"),
  collect: () => import("./collect.ts"),
  pairs: () => import("./pairs.ts"),
  rollouts: () => import("./rollouts.ts"),
  generate: () => import("./generate.ts"),
  train: () => import("./train.ts"),
  inference: () => import("./inference.ts"),
  finetune: () => import("./finetune.ts"),
  "collect-rate": () => import("./collect-rate.ts"),
  "train-peers": () => import("./train-peers.ts"),
  datastore: () => import("./datastore.ts"),
};

const named = process.argv.slice(2);
for (const name of named.length > 0 ? named : Object.keys(BENCHMARKS)) {
  const load = BENCHMARKS[name];
  if (!load) throw new Error(`there is no benchmark "${name}"; there are ${Object.keys(BENCHMARKS).join(", ")}`);
  console.log(`\n# ${name}`);
  await load();
}
