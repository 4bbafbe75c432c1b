import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../../../src/lib/random.ts";
import type { PythonEnv } from "../python-env.ts";
import type { RunningPlatform } from "./platform-process.ts";

const PLUGIN = fileURLToPath(new URL("nat_plugin", import.meta.url));

/** What the toolkit is told by its environment, as the seeds tell it. */
export interface ToolkitSettings {
  platform: RunningPlatform;
  /** Where it writes. */
  dir: string;
  games: readonly Game[];
  /** The model that plays. */
  model: string;
  customization_config?: string;
}

/** One line of the toolkit's data set: the model's side and the board with that side to move. */
export interface Game {
  id: number;
  question: string;
  answer: string;
}

/** The toolkit's command ran to its end; it ends with 0 when it fails, too. Gives all that it said. */
export async function nat(
  env: PythonEnv,
  command: "finetune" | "eval",
  { platform, dir, games, model, customization_config = "none" }: ToolkitSettings,
): Promise<string> {
  await mkdir(dir, { recursive: true });
  const dataset = join(dir, "games.json");
  await writeFile(dataset, JSON.stringify(games));
  const log = join(dir, `nat-${command}.log`);
  const config = join(PLUGIN, command === "finetune" ? "config.yml" : "config_after_training.yml");
  // At INFO, `nat finetune` of 1.9 logs its configuration, which holds itself, and ends in a RecursionError.
  const args = [log, "--log-level", "WARNING", command, "--config_file", config];
  const settings = {
    env: {
      NAT_TELEMETRY_ENABLED: "false",
      PYTHONPATH: PLUGIN,
      PYTHONDONTWRITEBYTECODE: "1",
      HF_HUB_OFFLINE: "0",
      HF_HOME: join(dir, "hf"),
      NO_PROXY: "127.0.0.1",
      NGC_API_KEY: "your-ngc-api-key",
      OPENAI_API_KEY: "unused-default-key",
      CUSTOMIZER_HOST: platform.url,
      DATASTORE_HOST: platform.url,
      CUSTOMIZER_NIM_URL: `${platform.url}/nim/v1`,
      CUSTOMIZER_LLM_MODEL_NAME: model,
      TRAINING_LLM_URL: `${platform.url}/nim/v1`,
      TRAINING_LLM_NAME: model,
      CUSTOMIZATION_CONFIG: customization_config,
      OUTPUT_DIR: dir,
      GAMES: dataset,
    },
  };
  try {
    await env.python(join(PLUGIN, "nat_cli.py"), args, settings);
  } catch (cause) {
    throw new Error(`nat ${command} failed:\n${(await readFile(log, "utf8")).slice(-3000)}`, { cause });
  }
  return readFile(log, "utf8");
}

/** Different positions with one side to move, made by random legal moves; the same for the same seed. */
export function makeGames(count: number, seed: number): Game[] {
  const random = seededRandom(seed);
  const questions = new Set<string>();
  while (questions.size < count) {
    const board = Array<string>(9).fill("_");
    const moves = Math.floor(random() * 4);
    for (let n = 0; n < moves; n += 1) {
      const free = board.flatMap((mark, square) => (mark === "_" ? [square] : []));
      board[free[Math.floor(random() * free.length)] ?? 0] = n % 2 === 0 ? "X" : "O";
    }
    questions.add(`${moves % 2 === 0 ? "X" : "O"} ${board.join("")}`);
  }
  return [...questions].map((question, id) => ({ id, question, answer: "win" }));
}

/** The mean of the games' outcomes as the toolkit's evaluation wrote it: 1 for a win, ½ for a draw. */
export async function averageScore(dir: string): Promise<number> {
  const output = JSON.parse(await readFile(join(dir, "eval", "game_outcome_output.json"), "utf8")) as {
    eval_output_items: { score: number }[];
  };
  const scores = output.eval_output_items.map(({ score }) => score);
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
