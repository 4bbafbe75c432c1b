import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { lookUp, readFacts } from "./facts.ts";

const FACTS = readFacts(fileURLToPath(new URL("data/facts.json", import.meta.url)));

test.each([
  ["rye loaf", "rye loaf: 3.4 euros each"],
  ["Apple Crates", "apple crate: 12.6 euros each"],
  ["the price of one rye loaf", "rye loaf: 3.4 euros each"],
  ["nautical miles", "nautical mile: 1.852 kilometres"],
  [
    "ferry",
    "ferry adult ticket: 7.2 euros one way\nferry child ticket: 3.6 euros one way\nferry bicycle ticket: 2.5 euros one way",
  ],
  ["soil bag", "soil bag volume: 40 litres\nsoil bag price: 5.75 euros each"],
])("%j finds what it names", (name, found) => {
  expect(lookUp(FACTS, name)).toBe(found);
});

test("what is not in the table is refused, with the names that are near, else with all of them", () => {
  expect(() => lookUp(FACTS, "rye loaves")).toThrow("perhaps one of these: rye loaf");
  expect(() => lookUp(FACTS, "gold")).toThrow(/there is: rye loaf, .*, market stone/);
  expect(() => lookUp(FACTS, "")).toThrow(expect.objectContaining({ code: "no_such_fact" }));
});

test("a table that is not there or has another form is a usage error that names the file", () => {
  const folder = mkdtempSync(join(tmpdir(), "facts-"));
  const file = join(folder, "facts.json");
  try {
    expect(() => readFacts(file)).toThrow(expect.objectContaining({ code: "bad_facts", where: file, exit_code: 2 }));
    writeFileSync(file, JSON.stringify([{ name: "rye loaf", value: "3.4", unit: "euros" }]));
    expect(() => readFacts(file)).toThrow("0.value");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("no fact hides another: each is found by its own name alone", () => {
  expect(FACTS).toHaveLength(17);
  for (const { name, value, unit } of FACTS) expect(lookUp(FACTS, name)).toBe(`${name}: ${value} ${unit}`);
});
