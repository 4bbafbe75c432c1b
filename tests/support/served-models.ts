import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loraShapes } from "../../src/engine/model/lora.ts";
import { readConfig } from "../../src/engine/model/read-config.ts";
import { writeAdapter } from "../../src/engine/weights/adapter.ts";
import { startTestPlatform } from "../../src/platform/__fixtures__/test-platform.ts";
import type { PlatformOptions } from "../../src/platform/start-platform.ts";
import { randomTensors } from "./random-parameters.ts";

export const BASE_MODEL = "examples/tic-tac-toe/base-model";

const BUILT = new URL("../../dist/platform/start-platform.js", import.meta.url).href;

/** The built platform with the example's base model twice, as `local/one` and `local/two`. Needs `npm run build`. */
export async function startServingPlatform(options: Partial<PlatformOptions> = {}) {
  const { startPlatform } = (await import(BUILT)) as typeof import("../../src/platform/start-platform.ts");
  const models = await mkdtemp(join(tmpdir(), "pairwright-served-"));
  const two = join(models, "two");
  await cp(BASE_MODEL, two, { recursive: true });
  const platform = await startTestPlatform(
    { models: [`local/one=${BASE_MODEL}`, `local/two=${two}`], ...options },
    startPlatform,
  );
  return {
    ...platform,
    async stop() {
      await platform.stop();
      await rm(models, { recursive: true, force: true });
    },
    /**
     * Makes a LoRA adapter over `local/one` with random weights, as a training job leaves it: `NAME@cust-VERSION`. Made
     * again, its files are others.
     */
    async addAdapter(name: string, version: number, seed = version): Promise<void> {
      const dir = join(models, `adapter-${seed}`);
      const config = readConfig(JSON.parse(await readFile(`${BASE_MODEL}/config.json`, "utf8")), BASE_MODEL);
      const shape = { rank: 4, target_modules: ["q_proj" as const, "v_proj" as const] };
      const tensors = randomTensors(loraShapes(config, shape), seed);
      await writeAdapter(dir, { ...shape, alpha: 32, tensors, base_model_name_or_path: null });
      const repo = `${name}-${version}`;
      await commit(platform, repo, dir);
      const [namespace, bare = ""] = name.split("/");
      await platform.call("POST", "/v1/namespaces", { id: namespace });
      await platform.call("POST", "/v1/models", {
        namespace,
        name: `${bare}@cust-${version}`,
        base_model: "local/one",
        artifact: { files_url: `hf://${repo}@main`, status: "upload_completed" },
        peft: { finetuning_type: "lora" },
      });
    },
  };
}

type Served = Awaited<ReturnType<typeof startTestPlatform>>;

/** Uploads an adapter's two files to a model repository of the Datastore. */
async function commit({ origin, call }: Served, name: string, dir: string): Promise<void> {
  const [organization, bare] = name.split("/");
  await call("POST", "/v1/hf/api/repos/create", { organization, name: bare, type: "model" });
  const files = ["adapter_config.json", "adapter_model.safetensors"].map(async (path) => {
    const content = (await readFile(join(dir, path))).toString("base64");
    return { key: "file", value: { path, content, encoding: "base64" } };
  });
  const lines = [{ key: "header", value: { summary: "adapter" } }, ...(await Promise.all(files))];
  const answer = await fetch(`${origin}/v1/hf/api/models/${name}/commit/main`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: lines.map((line) => JSON.stringify(line)).join("\n"),
  });
  if (!answer.ok) throw new Error(`the upload was answered with ${answer.status}: ${await answer.text()}`);
}
