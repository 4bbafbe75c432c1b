import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "./database.ts";
import { newId } from "./identifiers.ts";
import { MIGRATIONS } from "./migrations.ts";
import { timestamps } from "./timestamps.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-database-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("a database is brought to the newest version once, and is kept safe by its settings", () => {
  const path = join(dir, "a.db");
  openDatabase(path).close();
  const again = openDatabase(path);

  expect(again.prepare("pragma user_version").get()).toMatchObject({ user_version: MIGRATIONS.length });
  expect(again.prepare("pragma journal_mode").get()).toMatchObject({ journal_mode: "wal" });
  expect(again.prepare("pragma synchronous").get()).toMatchObject({ synchronous: 2 });
  again.close();
});

test("a database of a newer program is not touched", () => {
  const path = join(dir, "newer.db");
  const newer = openDatabase(path);
  newer.exec("pragma user_version = 9999");
  newer.close();

  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: "database_newer", exit_code: 2 }));
});

test("a file that is no database is named and left", async () => {
  const path = join(dir, "text.db");
  await writeFile(path, "this is no database, and long enough to be read as one".repeat(100));

  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: "database_unusable", where: path }));
});

test("ids are 22 characters of base 58 behind their prefix", () => {
  expect(newId("cust", Buffer.alloc(16))).toBe(`cust-${"1".repeat(22)}`);
  // 2^128 - 1 in base 58, by hand: its highest digit is 7 (58^21 * 7 < 2^128).
  expect(newId("cust", Buffer.alloc(16, 255))).toBe("cust-YcVfxkQb6JRzqk5kF2tNLv");
  expect(new Set(Array.from({ length: 100 }, () => newId("x"))).size).toBe(100);
});

test("times are in the services' own forms, and each is later than the one before", () => {
  const times = timestamps(() => Date.UTC(2025, 3, 22, 20, 31, 14) + 976.0791);

  expect(times.naive()).toBe("2025-04-22T20:31:14.976079");
  expect(times.naive()).toBe("2025-04-22T20:31:14.976080");
  expect(times.zoned()).toBe("2025-04-22T20:31:14.976081000Z");
  expect(times.seconds()).toBe("2025-04-22T20:31:14Z");
});
