import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";
import { messageOf, PairwrightError } from "./errors.ts";
import { canonicalJson, hash31, hashFraction, sha256 } from "./hash.ts";
import { indexOfBest } from "./index-of-best.ts";
import { parseJsonPath } from "./json-path.ts";
import { takeLock } from "./lock.ts";
import { pick, seededRandom } from "./random.ts";
import { didYouMean } from "./suggest.ts";

test("equal values have equal canonical JSON, whatever the order of their keys", () => {
  expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[{"d":1}]}');
});

test("a 31-bit hash is one in range, and depends on every part", () => {
  const hashes = [hash31(0, "a", 1), hash31(0, "a", 2), hash31(1, "a", 1), hash31("0", "a", 1), hash31(0, "a1")];
  expect(new Set(hashes).size).toBe(5);
  // The first 8 digits of sha256('[0,"a",1]'), without the sign bit: other programs can make the same seeds.
  expect(hash31(0, "a", 1)).toBe(Number.parseInt(sha256('[0,"a",1]').slice(0, 8), 16) & 0x7fffffff);
  for (const hash of hashes) expect(hash >= 0 && hash < 2 ** 31).toBe(true);
});

test("hash fractions are spread evenly over [0, 1)", () => {
  const fractions = Array.from({ length: 4000 }, (_, index) => hashFraction("x", index));
  const share = fractions.filter((fraction) => fraction < 0.2).length / fractions.length;
  // Four standard deviations of a binomial share.
  expect(Math.abs(share - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / 4000));
  expect(Math.max(...fractions)).toBeLessThan(1);
});

test("a seeded generator repeats itself, and is even enough to play with", () => {
  const draws = (seed: number) => Array.from({ length: 3 }, seededRandom(seed));
  expect(draws(7)).toEqual(draws(7));
  expect(draws(7)).not.toEqual(draws(8));
  const random = seededRandom(1);
  const counts = [0, 0, 0, 0, 0];
  for (let index = 0; index < 10_000; index += 1) counts[pick([0, 1, 2, 3, 4], random)]! += 1;
  // Chi-squared with 4 degrees of freedom: above 18.5 once in a thousand.
  expect(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(18.5);
  expect(() => pick([], random)).toThrow(RangeError);
});

test("the best is the greatest, the first of equals; null is below every number", () => {
  expect(indexOfBest([null, -5, 2, 2])).toBe(2);
  expect(indexOfBest([null, null])).toBe(0);
  expect(indexOfBest([])).toBe(-1);
});

test.each([
  ["$", { a: 1 }, { a: 1 }],
  ["$.a.b", { a: { b: 2 } }, 2],
  ["$['a b'][1]", { "a b": [1, 3] }, 3],
  ['$["x"].y', { x: {} }, undefined],
  ["$.a.b", null, undefined],
])("the path %s leads into a value", (path, value, found) => {
  expect(parseJsonPath(path)(value)).toEqual(found);
});

test.each(["a.b", "$.a[*]", "$..a", "$.a["])("the path %s is refused with what is wrong", (path) => {
  expect(() => parseJsonPath(path)).toThrow(PairwrightError);
});

test("a name is suggested when it is near, and only then", () => {
  expect(didYouMean("min_score_dif", ["min_score_diff", "pair_mode"])).toBe(' Did you mean "min_score_diff"?');
  expect(didYouMean("levle", ["level"])).toBe(' Did you mean "level"?');
  expect(didYouMean("zebra", ["min_score_diff"])).toBe("");
  expect(didYouMean("x", [])).toBe("");
});

test("an error tells where, what and what to do, and is known across copies of the package", () => {
  const error = new PairwrightError({ code: "c", where: "f.yml:3", what: "is wrong", fix: "mend it" });
  expect(error.message).toBe("f.yml:3: is wrong");
  expect(PairwrightError.is({ [Symbol.for("pairwright.error")]: true })).toBe(true);
  expect(PairwrightError.is(new Error("other"))).toBe(false);
  expect(messageOf(new Error("x".repeat(600)))).toHaveLength(501);
});

test("a lock is held by one process; the lock of one that is gone is taken over", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-lock-"));
  const path = join(dir, "run.lock");
  // Process 1 lives for as long as the machine does.
  await writeFile(path, "1");
  await expect(takeLock(path)).rejects.toMatchObject({ code: "locked", exit_code: 2 });

  // Whether a process of another machine lives cannot be seen from here.
  await writeFile(path, "999999999 another-host nonce");
  await expect(takeLock(path)).rejects.toMatchObject({ code: "locked", fix: expect.stringContaining("remove") });
  // This process's own id under another nonce: an earlier process, as in a container that was started anew.
  for (const stale of ["999999999", `${process.pid} ${hostname()} other`]) {
    await writeFile(path, stale);
    await (await takeLock(path)).release();
  }

  const lock = await takeLock(path);
  expect(await readFile(path, "utf8")).toMatch(new RegExp(`^${process.pid} `));
  await expect(takeLock(path)).rejects.toMatchObject({ code: "locked" });
  await lock.release();
  await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
  await rm(dir, { recursive: true });
});

test("a sleep ends with the signal's reason", async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort(new Error("woken"));
  await expect(sleeping).rejects.toThrow("woken");
  await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow("woken");
  await systemClock.sleep(1);
});
