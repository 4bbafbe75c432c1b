import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { watchForStops } from "./stop-strings.ts";

test("a stop string that comes in pieces is never shown, not even its beginning", () => {
  const watch = watchForStops(["<end>"]);
  const shown = ["Hello <", "e", "n", "d", "> and more"].map((piece) => watch.push(piece));
  expect(shown.map(({ text }) => text)).toEqual(["Hello ", "", "", "", ""]);
  expect(shown.map(({ stopped_by }) => stopped_by)).toEqual([null, null, null, null, "<end>"]);
});

test("what only looked like a stop string is given once it is sure, or at the end", () => {
  const watch = watchForStops(["aab"]);
  expect(watch.push("aa").text).toBe("");
  expect(watch.push("a").text).toBe("a");
  expect(watch.push("c").text).toBe("aac");
  expect(watch.push("xa").text).toBe("x");
  expect(watch.flush()).toBe("a");
});

test("of several stop strings the one that is complete first counts, and the longest of those", () => {
  expect(watchForStops(["cd", "bcd", "abcde"]).push("abcde")).toEqual({ text: "a", stopped_by: "bcd" });
});

test("however the text is cut into pieces, what is shown is the text before the stop string that is complete first", () => {
  const random = seededRandom(4);
  let stopped = 0;
  for (let round = 0; round < 500; round += 1) {
    const letters = (most: number) =>
      Array.from({ length: 1 + Math.floor(random() * most) }, () => "ab"[Math.floor(random() * 2)]).join("");
    const text = letters(14);
    const stops = [letters(4), letters(5)];
    const watch = watchForStops(stops);
    let shown = "";
    let end: string | null = null;
    for (let at = 0; at < text.length && end === null; ) {
      const size = 1 + Math.floor(random() * 3);
      const { text: passed, stopped_by } = watch.push(text.slice(at, at + size));
      shown += passed;
      end = stopped_by;
      at += size;
    }
    if (end === null) shown += watch.flush();
    else stopped += 1;
    const found = stops
      .map((stop) => ({ at: text.indexOf(stop), end: text.indexOf(stop) + stop.length }))
      .filter(({ at }) => at !== -1)
      .sort((a, b) => a.end - b.end || a.at - b.at);
    expect(shown).toBe(text.slice(0, found[0]?.at));
  }
  expect(stopped).toBeGreaterThan(100);
});
