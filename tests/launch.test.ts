import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import { jsonOf } from "./support/program.ts";
import { makeProject, resultBytes, runDirs } from "./support/project.ts";

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ reply: guessReply });
});
afterAll(() => server.close());

interface Launched {
  dir: string;
  files: string[];
  command: string;
  job: null;
  output?: string;
  pairs?: number;
  shards: { shard: number; complete: boolean; exit_code: number | null; killed_by: string | null; log: string }[];
  error?: { code: string; what: string };
}

test("a shard that is killed leaves the others running, and --resume makes what one undivided run makes, byte for byte", async () => {
  await using project = await makeProject({ url: server.url, examples: 7, general: { output_dir: "it's out" } });
  const out = join(project.dir, "it's out");
  expect(await project.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
  const undivided = await resultBytes((await runDirs(out))[0] ?? "");

  const launch = ["launch", "config.yml", "--on", "collect", "--shards", "2", "--submit", "local", "--json"];
  // The first shard has four examples, the second three.
  const killed = await project.runWith({ KILL_AT: "score:4" }, ...launch);
  expect(killed).toMatchObject({ code: 3, stderr: expect.stringContaining("error[shards_incomplete]") });
  const first = jsonOf<Launched>(killed);
  expect(first.shards).toMatchObject([
    { shard: 1, complete: false, exit_code: null, killed_by: "SIGKILL" },
    { shard: 2, complete: true, exit_code: 0 },
  ]);
  expect(first).toMatchObject({ job: null, error: { code: "shards_incomplete" } });
  expect(first.error?.what).toContain("1 of 2 shards are not complete: 1 (SIGKILL, see ");
  expect(first.pairs).toBeUndefined();

  const [calls, said] = [server.calls, await readFile(first.shards[1]!.log, "utf8")];
  const resumed = await project.run(...launch, "--resume");
  expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining(`going on with ${first.dir}`) });
  const second = jsonOf<Launched>(resumed);
  expect(second.dir).toBe(first.dir);
  expect(second.shards).toMatchObject([{ exit_code: 0 }, { exit_code: null }]);
  // All examples had been played, and the second shard was not begun again.
  expect(server.calls).toBe(calls);
  expect(await readFile(first.shards[1]!.log, "utf8")).toBe(said);
  expect(await resultBytes(second.output ?? "")).toEqual(undivided);
  expect(second.pairs).toBe(undivided["pairs.jsonl"].split("\n").length - 1);
  expect((await readdir(second.dir)).sort()).toEqual(
    ["launch.json", "logs", "merge.sh", "merged", "shard-1", "shard-2", "shard.sh"].sort(),
  );
});
