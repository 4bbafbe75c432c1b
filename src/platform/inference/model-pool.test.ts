import { expect, test } from "vitest";
import { fakeLoader, fakeModel } from "./__fixtures__/fake-loader.ts";
import { ModelPool } from "./model-pool.ts";

const prompt = { text: "?" };

function poolOf({ memory_bytes = 1000, max_pending = 100, broken = [] as string[] } = {}) {
  const loader = fakeLoader({ broken });
  const crashes: string[] = [];
  const onCrash = (label: string) => void crashes.push(label);
  const pool = new ModelPool({ loader, memory_bytes, max_pending, onCrash });
  /** A request's texts, or the status that it is answered with. */
  async function ask(
    name: string,
    { adapter = undefined as string | undefined, n = 1, stop = new AbortController() } = {},
  ) {
    try {
      const [reply] = await pool.generate(fakeModel(name, adapter), [{ prompt, n }], { signal: stop.signal });
      return reply?.completions.map(({ text }) => text);
    } catch (error) {
      return error;
    }
  }
  return { pool, loader, crashes, ask };
}

/** Lets everything go on that need not wait. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function answerAll({ working }: ReturnType<typeof fakeLoader>): Promise<void> {
  await settle();
  for (const job of [...working]) job.answer(`from ${job.model}`);
}

test("requests that come while a model is loaded wait for one load", async () => {
  const { loader, ask } = poolOf();

  const both = Promise.all([ask("a"), ask("a", { n: 2 })]);
  await answerAll(loader);
  expect(await both).toEqual([["from a"], ["from a", "from a"]]);
  expect(loader.events).toEqual(["open a"]);
});

test("the model that was not used for longest makes room, and comes back when it is asked for", async () => {
  const { loader, ask } = poolOf({ memory_bytes: 250 });
  for (const name of ["a", "b", "a", "c", "b"]) {
    const asked = ask(name);
    await answerAll(loader);
    expect(await asked).toEqual([`from ${name}`]);
  }

  expect(loader.events).toEqual(["open a", "open b", "close b", "open c", "close a", "open b"]);
});

test("a model in use leaves when its requests are done, and new ones wait for it to come back", async () => {
  const { loader, ask } = poolOf({ memory_bytes: 100 });
  const first = ask("a");
  await settle();
  const other = ask("b");
  await settle();
  const late = ask("a");
  await settle();
  expect(loader.events).toEqual(["open a"]);

  await answerAll(loader);
  expect(await first).toEqual(["from a"]);
  await answerAll(loader);
  expect(await other).toEqual(["from b"]);
  await answerAll(loader);
  expect(await late).toEqual(["from a"]);
  expect(loader.events).toEqual(["open a", "close a", "open b", "close b", "open a"]);
});

test("a model that is larger than all memory is refused, and says so", async () => {
  const { ask } = poolOf({ memory_bytes: 99 });

  expect(await ask("a")).toMatchObject({ status: 503, message: expect.stringContaining("needs 1 MiB") });
});

test("when too many candidates wait, the next request is turned away, and when they are done it is not", async () => {
  const { pool, loader, ask } = poolOf({ max_pending: 4 });
  const running = [ask("a", { n: 3 }), ask("a")];
  await settle();

  expect(await ask("a")).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
  expect(pool.figures()).toEqual([{ label: "a", bytes: 100, running: 2, waiting: 2 }]);
  await answerAll(loader);
  await Promise.all(running);
  const alone = ask("a", { n: 9 });
  await answerAll(loader);
  expect(await alone).toHaveLength(9);
});

test("a client that leaves frees its place, also while the model is loaded", async () => {
  const { pool, loader, ask } = poolOf();
  const early = new AbortController();
  const leaving = ask("a", { stop: early });
  early.abort(new Error("left"));
  expect(await leaving).toMatchObject({ message: "left" });

  const late = new AbortController();
  const running = ask("a", { n: 2, stop: late });
  await settle();
  expect(pool.figures()).toMatchObject([{ running: 2, waiting: 0 }]);
  late.abort();
  await running;
  expect(loader.working).toEqual([]);
  expect(pool.figures()).toMatchObject([{ running: 0, waiting: 0 }]);
});

test("a model whose process dies fails its requests and is loaded for the next one", async () => {
  const { loader, crashes, ask } = poolOf();
  const first = ask("a");
  await settle();
  loader.crash("a");
  expect(await first).toMatchObject({ message: "a has crashed" });
  await settle();

  const second = ask("a");
  await answerAll(loader);
  expect(await second).toEqual(["from a"]);
  expect(loader.events).toEqual(["open a", "open a"]);
  expect(crashes).toEqual(["a"]);
});

test("a model that cannot be loaded is tried again by the next request", async () => {
  const { pool, ask } = poolOf({ broken: ["a"] });

  for (let time = 0; time < 2; time += 1) expect(await ask("a")).toMatchObject({ message: "a is broken" });
  expect(pool.figures()).toEqual([]);
});

test("adapters run in their base's process, which is opened anew for the first of them", async () => {
  const { loader, ask } = poolOf();
  const plain = ask("a");
  await answerAll(loader);
  await plain;

  const both = Promise.all([ask("a", { adapter: "x" }), ask("a", { adapter: "y" }), ask("a")]);
  await settle();
  expect(loader.working.map(({ request }) => request.adapter)).toEqual([undefined, "adapter-1", "adapter-2"]);
  await answerAll(loader);
  await both;
  expect(loader.events).toEqual([
    "open a",
    "close a",
    "open a for adapters",
    "add x as adapter-1",
    "add y as adapter-2",
  ]);
});

test("of nine adapters over one base the one that was not used for longest goes", async () => {
  const { loader, ask } = poolOf();
  for (let index = 0; index < 9; index += 1) {
    const asked = ask("a", { adapter: `x${index}` });
    await answerAll(loader);
    await asked;
  }

  expect(loader.events.filter((event) => event.startsWith("remove"))).toHaveLength(1);
  const again = ask("a", { adapter: "x0" });
  await answerAll(loader);
  expect(await again).toEqual(["from a"]);
  expect(loader.events.filter((event) => event.startsWith("add x0"))).toHaveLength(2);
});

test("what is unloaded is closed when its requests are done, an adapter by itself", async () => {
  const { pool, loader, ask } = poolOf();
  const asked = ask("a", { adapter: "x" });
  await answerAll(loader);
  await asked;

  await pool.unload(fakeModel("a", "x"));
  await pool.unload(fakeModel("a"));
  await pool.unload(fakeModel("b"));
  expect(loader.events.slice(-2)).toEqual(["remove adapter-1", "close a"]);
  expect(pool.figures()).toEqual([]);
});

test("a pool that is closed takes nothing more", async () => {
  const { pool, loader, ask } = poolOf();
  const asked = ask("a");
  await answerAll(loader);
  await asked;

  await pool.close();
  expect(loader.events).toEqual(["open a", "close a"]);
  expect(await ask("a")).toMatchObject({ status: 503 });
});
