import { expect, test } from "vitest";
import { type LintOptions, lintPairs, type RowToLint } from "./lint.ts";

async function lint(rows: unknown[], options: LintOptions = {}, side?: (place: number) => RowToLint["side"]) {
  async function* stream(): AsyncGenerator<RowToLint> {
    for (const [place, value] of rows.entries()) {
      const given = side?.(place);
      yield { value, line: place + 1, ...(given !== undefined && { side: given }) };
    }
  }
  return lintPairs(stream(), options);
}

const says = (role: string, content: string) => [{ role, content }];
/** A row of pairs.jsonl; its own prompt unless told. */
function pair(place: number, change: Record<string, unknown> = {}) {
  return {
    pair_id: String(place),
    example_id: `e${place}`,
    prompt: says("user", `p${place}`),
    chosen: says("assistant", "good"),
    rejected: says("assistant", "poor"),
    chosen_score: 1,
    rejected_score: 0,
    ...change,
  };
}
function row(place: number, change: Record<string, unknown> = {}) {
  return { prompt: `p${place}`, chosen_response: "good", rejected_response: "poor", ...change };
}

test.each([pair, row])("a clean data set has no finding", async (make) => {
  const rows = Array.from({ length: 30 }, (_, place) => make(place));
  expect(await lint(rows)).toEqual({ rows: 30, faults: {}, findings: [], length_correlation: null });
});

const good = says("assistant", "good");
test.each<[string, "error" | "warning", unknown[], number]>([
  ["tie", "error", [pair(0), pair(1, { rejected_score: 1 })], 2],
  ["reversed_scores", "error", [pair(0), pair(1, { rejected_score: 2 })], 2],
  ["equal_text", "error", [pair(0, { rejected: good })], 1],
  ["equal_text", "error", [row(0, { rejected_response: "good" })], 1],
  ["empty", "error", [pair(0, { rejected: says("assistant", " ") })], 1],
  ["empty", "error", [row(0), row(1, { prompt: "" })], 2],
  ["empty", "error", [row(0), row(1, { chosen_response: "" })], 2],
  ["answer_in_prompt", "error", [pair(0, { prompt: [...says("user", "?"), ...good] })], 1],
  ["answer_in_prompt", "error", [row(0, { prompt: "good" })], 1],
  ["answer_in_prompt", "error", [row(0, { prompt: "Question?\ngood\n" })], 1],
  ["answer_in_prompt", "error", [row(0, { prompt: [...says("user", "?"), ...good] })], 1],
  ["contradiction", "error", [row(0), row(1), row(0, { chosen_response: "poor", rejected_response: "good" })], 3],
  ["duplicate", "warning", [row(0), row(1), row(0)], 3],
  ["over_long", "warning", [row(0), row(1, { prompt: "x".repeat(40_000) })], 2],
  ["broken_row", "error", [row(0), row(1, { chosen_response: 5 })], 2],
  ["broken_row", "error", [pair(0), pair(1, { chosen: { text: "x" } })], 2],
  [
    "split_overlap",
    "error",
    [pair(0, { split: "training" }), pair(0, { split: "validation", chosen: says("assistant", "best") })],
    2,
  ],
])("%s is found, as %s, on its line", async (kind, level, rows, line) => {
  const { faults, findings } = await lint(rows);
  expect(faults).toEqual({ [kind]: 1 });
  expect(findings).toMatchObject([{ kind, level, line }]);
});

test("a prompt in both files is found, and each file's side is taken from the caller", async () => {
  const rows = [row(0), row(1), row(2, { prompt: "p0" })];
  const other = rows.map((one, place) => ({ ...one, chosen_response: `good ${place}` }));
  expect((await lint(other, {}, (place) => (place < 2 ? "training" : "validation"))).faults).toMatchObject({
    split_overlap: 1,
  });
  expect((await lint(other, {}, () => "training")).faults).not.toHaveProperty("split_overlap");
});

test("a length bias is told with its correlation", async () => {
  const rows = Array.from({ length: 20 }, (_, place) =>
    row(place, {
      chosen_response: `good${"!".repeat(place < 16 ? 10 : 0)}`,
      rejected_response: `poor${"!".repeat(place < 16 ? 0 : 10)}`,
    }),
  );
  const report = await lint(rows);
  // 16 differences of +10 and 4 of -10: mean 6, root mean square 10.
  expect(report.length_correlation).toBeCloseTo(0.6);
  expect(report.findings).toMatchObject([
    { kind: "length_bias", level: "warning", line: null, message: expect.stringContaining("0.60") },
  ]);
  expect((await lint(rows, { max_length_correlation: 0.7 })).findings).toEqual([]);
  const swapped = rows.map(({ chosen_response, rejected_response, ...others }) => ({
    ...others,
    chosen_response: rejected_response,
    rejected_response: chosen_response,
  }));
  expect((await lint(swapped)).length_correlation).toBeCloseTo(-0.6);
});

test("an example that makes up too many rows is told", async () => {
  const rows = Array.from({ length: 20 }, (_, place) => pair(place, { example_id: place < 6 ? "big" : `e${place}` }));
  expect((await lint(rows)).findings).toMatchObject([
    { kind: "dominating_example", level: "warning", message: expect.stringContaining("30 %") },
  ]);
  expect((await lint(rows, { max_example_share: 0.3 })).findings).toEqual([]);
});

test("findings are capped for each kind, counts are not", async () => {
  const rows = Array.from({ length: 50 }, (_, place) => row(place, { rejected_response: "good" }));
  const { faults, findings } = await lint(rows, { max_findings: 3 });
  expect(faults).toEqual({ equal_text: 50 });
  expect(findings).toHaveLength(3);
});

test("a row of no known format is an error that names what was seen", async () => {
  await expect(lint([row(0), { prompt: "x", chosen: "y", rejected: "z" }])).rejects.toMatchObject({
    code: "unknown_row_format",
    where: "line 2",
    what: expect.stringContaining("prompt, chosen, rejected"),
    exit_code: 2,
  });
});

test("under other tools a prompt is another one: neither a duplicate nor a contradiction", async () => {
  const under = (name: string) => [{ type: "function", function: { name } }];
  const turned = { chosen: says("assistant", "poor"), rejected: says("assistant", "good"), chosen_score: 1 };
  const rows = [pair(0), pair(0, { tools: under("f") }), pair(0, { tools: under("g"), ...turned })];
  expect((await lint(rows)).faults).toEqual({});
  expect((await lint([...rows, rows[1], pair(0, { tools: under("f"), ...turned })])).faults).toMatchObject({
    duplicate: 1,
    contradiction: 1,
  });
});
