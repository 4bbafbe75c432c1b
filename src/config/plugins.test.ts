import { join } from "node:path";
import { expect, test } from "vitest";
import * as definitions from "../registry/plugin.ts";
import { folderWith, load, problemsOf } from "./__fixtures__/loading.ts";
import { seedRegistry } from "./__fixtures__/registry.ts";
import { loadConfig } from "./load.ts";

const MARK = { loadedOnce: true };
const MODULES = { pairwright: { ...definitions, mark: MARK }, "pairwright/testing": { double: "ours" } };
const modules = MODULES;

const EVALUATOR = (name: string) => `import { definePlugin } from "pairwright";
import { z } from "zod";
export default definePlugin((registry) => {
  registry.evaluator("${name}", { options: z.strictObject({ depth: z.int().default(2) }), build: () => ({ evaluate: () => ({ score: 1 }) }) });
});
`;
const withZod = { ...MODULES, zod: await import("zod") };

test("a TypeScript plugin of several files is loaded without a build and gets the running modules, not copies", async () => {
  const config = await load(
    {
      "config.yml": "plugins: [./plugin.ts]\neval: {evaluators: {e: {_type: mine}}}\n",
      "plugin.ts": `import { definePlugin, mark, type Registry } from "pairwright";
import { double } from "pairwright/testing";
import { name, options } from "./parts/options.ts";
interface Found { mark: unknown }
export default definePlugin((registry: Registry) => {
  const found: Found = { mark };
  registry.evaluator(name, { description: double, options, build: () => ({ evaluate: () => found }) });
});
`,
      "parts/options.ts": `import { z } from "zod";
import { mark } from "pairwright";
export const name: string = mark.loadedOnce ? "mine" : "other";
export const options = z.strictObject({ depth: z.int().default(2) });
`,
    },
    { modules: withZod },
  );

  const component = config.eval.evaluators.e;
  expect(component?.options).toEqual({ depth: 2 });
  expect(component?.component).toMatchObject({ source: "./plugin.ts", component: { description: "ours" } });
  const built = component?.component.component.build({} as never) as unknown as { evaluate(): { mark: unknown } };
  expect(built.evaluate().mark).toBe(MARK);
  expect(config.plugins).toEqual([{ name: "./plugin.ts", file: expect.stringMatching(/plugin\.ts$/) }]);
  expect(config.effective.plugins).toEqual(["./plugin.ts"]);
});

test("JavaScript modules, CommonJS and packages are plugins too", async () => {
  const config = await load(
    {
      "config.yml":
        "plugins: [./a.mjs, ./b.cjs, some-plugin]\neval: {evaluators: {a: {_type: a}, b: {_type: b}, c: {_type: c}}}\n",
      "a.mjs": EVALUATOR("a"),
      "b.cjs": `const { definePlugin } = require("pairwright");\nconst { z } = require("zod");\nmodule.exports = definePlugin((registry) => {\n  registry.evaluator("b", { options: z.strictObject({}), build: () => ({}) });\n});\n`,
      "node_modules/some-plugin/package.json":
        '{"name": "some-plugin", "type": "module", "exports": {"import": "./index.js"}}',
      "node_modules/some-plugin/index.js": EVALUATOR("c"),
    },
    { modules: withZod },
  );

  expect(Object.keys(config.eval.evaluators)).toEqual(["a", "b", "c"]);
  expect(config.plugins.map(({ name }) => name)).toEqual(["./a.mjs", "./b.cjs", "some-plugin"]);
});

test("names in the file start from its folder, those of --plugin from the working folder, and each is loaded once", async () => {
  using folder = folderWith({
    "runs/config.yml":
      "base: ../shared/base.yml\nplugins: [./own.ts]\neval: {evaluators: {a: {_type: own}, b: {_type: given}}}\n",
    "shared/base.yml": "llms: {}\n",
    "runs/own.ts": EVALUATOR("own"),
    "given.ts": EVALUATOR("given"),
  });
  const config = await loadConfig("runs/config.yml", {
    registry: seedRegistry(),
    env: {},
    uses: [],
    cwd: folder.dir,
    modules: withZod,
    plugins: ["given.ts", "./runs/own.ts"],
  });

  expect(config.plugins.map(({ file }) => file)).toEqual([
    join(folder.dir, "runs/own.ts"),
    join(folder.dir, "given.ts"),
  ]);
});

test("a base's plugins come before a file's own, each found from the file that names it and loaded once", async () => {
  using folder = folderWith({
    "runs/config.yml": `base: ../shared/base.yml
plugins: [./plugin.ts, ../shared/both.ts]
eval: {evaluators: {a: {_type: own}, b: {_type: based}, c: {_type: both}, d: {_type: deep}}}
`,
    "shared/base.yml": "base: deep/deeper.yml\nplugins: [./both.ts, ./plugin.ts]\n",
    "shared/deep/deeper.yml": "plugins: [./deep.ts]\n",
    "runs/plugin.ts": EVALUATOR("own"),
    "shared/plugin.ts": EVALUATOR("based"),
    "shared/both.ts": EVALUATOR("both"),
    "shared/deep/deep.ts": EVALUATOR("deep"),
  });
  const options = { registry: seedRegistry(), env: {}, uses: [], cwd: folder.dir, modules: withZod };
  const config = await loadConfig("runs/config.yml", options);

  expect(config.plugins).toEqual(
    [
      ["../shared/deep/deep.ts", "shared/deep/deep.ts"],
      ["../shared/both.ts", "shared/both.ts"],
      ["../shared/plugin.ts", "shared/plugin.ts"],
      ["./plugin.ts", "runs/plugin.ts"],
    ].map(([name, file]) => ({ name, file: join(folder.dir, file ?? "") })),
  );
  expect(config.effective.plugins).toEqual(config.plugins.map(({ name }) => name));
});

test("a plugin that is not there is told with the place in the list of its own file", async () => {
  const problems = await problemsOf(
    {
      "config.yml": "base: below/base.yml\nplugins: [./gone.ts]\n",
      "below/base.yml": "plugins: [./a.ts, ./lost.ts]\n",
      "below/a.ts": EVALUATOR("a"),
    },
    { modules: withZod },
  );

  expect(problems).toEqual([
    "config.yml:2:11: plugins[0]: the plugin ./gone.ts is not there",
    "below/base.yml:1:19: plugins[1]: the plugin ./lost.ts is not there",
  ]);
  // Null takes the base's away, as everywhere.
  const files = { "config.yml": "base: base.yml\nplugins: null\n", "base.yml": "plugins: [./gone.ts]\n" };
  expect((await load(files)).plugins).toEqual([]);
});

test("each way a plugin can fail is told with its line, and its own line where it has one", async () => {
  const problems = await problemsOf(
    {
      "config.yml": `plugins:
  - ./gone.ts
  - no-such-package
  - beside.ts
  - ./throws.ts
  - ./syntax.ts
  - ./imports.ts
  - ./nothing.ts
  - ./other.ts
  - ./registers.ts
  - ./twice.ts
`,
      "beside.ts": EVALUATOR("beside"),
      "throws.ts": "interface A {\n  a: string;\n}\n\nthrow new Error('out of luck');\nexport default 1;\n",
      "syntax.ts": "export default {\n  a: = 1,\n};\n",
      "imports.ts": 'import x from "not-installed-at-all";\nexport default x;\n',
      "nothing.ts": "export const a = 1;\n",
      "other.ts": "export default { register() {} };\n",
      "registers.ts":
        'import { definePlugin } from "pairwright";\nexport default definePlugin(async () => {\n  throw new TypeError("no luck either");\n});\n',
      "twice.ts": EVALUATOR("dpo_game_outcome"),
    },
    { modules: withZod },
  );

  const place = (line: number) => `config.yml:${line}:5: plugins[${line - 2}]: the plugin`;
  const advice = " (end the file with: export default definePlugin((registry) => { … }))";
  expect(problems).toEqual([
    `${place(2)} ./gone.ts is not there`,
    `${place(3)} no-such-package is no package that is installed here`,
    `${place(4)} beside.ts is no package that is installed here (for the file beside this one write ./beside.ts)`,
    `${place(5)} ./throws.ts failed: out of luck (at throws.ts:5)`,
    `${place(6)} ./syntax.ts failed: Unexpected token (at syntax.ts:2)`,
    `${place(7)} ./imports.ts failed: Cannot find module 'not-installed-at-all' (at imports.ts:1) (install it, or mend the import)`,
    `${place(8)} ./nothing.ts has no default export${advice}`,
    `${place(9)} ./other.ts exports something else than definePlugin(…) by default${advice}`,
    `${place(10)} ./registers.ts failed: no luck either (at registers.ts:3)`,
    expect.stringContaining(
      `${place(11)} ./twice.ts failed: the evaluator "dpo_game_outcome" is registered already by pairwright`,
    ),
  ]);
});

test("an unknown type beside a plugin that failed says so, and a --plugin that is not there is told as one", async () => {
  const problems = await problemsOf("eval: {evaluators: {e: {_type: mine}}}\n", { plugins: ["./gone.ts"], modules });

  expect(problems).toHaveLength(2);
  expect(problems[0]).toContain('there is no type "mine"');
  expect(problems[0]).toContain("a plugin did not load, see there");
  expect(problems[1]).toBe("--plugin: the plugin ./gone.ts is not there");
});

test("plugins that are no list are told so, and another loader may be given", async () => {
  expect(await problemsOf("plugins: ./plugin.ts\n")).toEqual(["config.yml:1:10: plugins: expected a list, got a text"]);
  const seen: string[] = [];
  const config = await load(
    { "config.yml": "plugins: [./plugin.ts]\n", "plugin.ts": "" },
    {
      importPlugin: async (file) => {
        seen.push(file);
        return { default: definitions.definePlugin(() => undefined) };
      },
    },
  );
  expect(seen).toEqual(config.plugins.map(({ file }) => file));
});

test("a helper that is a JavaScript module gets the running modules too", async () => {
  const config = await load(
    {
      "config.yml": "plugins: [./plugin.mjs]\neval: {evaluators: {e: {_type: helped}}}\n",
      "plugin.mjs": 'export { default } from "./helper.mjs";\n',
      "helper.mjs": EVALUATOR("helped"),
    },
    { modules: withZod },
  );

  expect(config.eval.evaluators.e?.component.source).toBe("./plugin.mjs");
});
