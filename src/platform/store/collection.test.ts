import { afterEach, expect, test } from "vitest";
import { type Collection, collection } from "./collection.ts";
import { type Database, openDatabase, transaction } from "./database.ts";

interface Thing {
  name: string;
  created_at: string;
  size?: number;
  even?: boolean;
  tags?: { colour?: string };
}

const databases: Database[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function things(): { database: Database; all: Collection<Thing> } {
  const database = openDatabase(":memory:");
  databases.push(database);
  return { database, all: collection<Thing>(database, "project") };
}

const key = (name: string) => ({ namespace: "default", name });

test("a key is taken once, and kinds do not meet", () => {
  const { database, all } = things();
  const thing = { name: "a", created_at: "1" };

  expect(all.insert(key("a"), thing)).toBe(true);
  expect(all.insert(key("a"), { ...thing, size: 2 })).toBe(false);
  expect(all.get(key("a"))).toEqual(thing);
  expect(collection(database, "model").get(key("a"))).toBeUndefined();
  expect(all.put(key("b"), thing)).toBe(false);
  expect(all.remove(key("a"))).toBe(true);
  expect(all.remove(key("a"))).toBe(false);
});

test("lists give what a plain filter of all of them gives", () => {
  const { all } = things();
  const made: Thing[] = Array.from({ length: 60 }, (_, index) => ({
    name: `n${(index * 7) % 60}`,
    created_at: `2025-01-${String(1 + (index % 28)).padStart(2, "0")}`,
    even: index % 2 === 0,
    ...(index % 3 === 0 && { size: index }),
    ...(index % 4 === 0 && { tags: { colour: index % 8 === 0 ? "Red" : 'it\'s "blue"' } }),
  }));
  for (const thing of made) all.insert(key(thing.name), thing);

  const list = (where: Parameters<Collection<Thing>["list"]>[0]["where"]) =>
    all.list({ where, sort: "created_at", page: 1, page_size: 1000 }).data;
  const plain = (test: (thing: Thing) => boolean) =>
    made.filter(test).toSorted((a, b) => a.created_at.localeCompare(b.created_at));

  expect(list([{ field: ["size"], is: "equal", values: ["9", 12] }])).toEqual(
    plain(({ size }) => size === 9 || size === 12),
  );
  expect(list([{ field: ["tags", "colour"], is: "contains", values: ["RED"] }])).toEqual(
    plain(({ tags }) => tags?.colour === "Red"),
  );
  expect(list([{ field: ["tags", "colour"], is: "equal", values: ['it\'s "blue"'] }])).toHaveLength(7);
  expect(list([{ field: ["even"], is: "equal", values: ["true"] }])).toEqual(plain(({ even }) => even === true));
  expect(list([{ field: ["even"], is: "equal", values: ["false"] }])).toHaveLength(30);
  expect(list([{ field: ["size"], is: "present", values: [false] }])).toEqual(plain(({ size }) => size === undefined));
  const range = list([
    { field: ["created_at"], is: "from", values: ["2025-01-05"] },
    { field: ["created_at"], is: "to", values: ["2025-01-07"] },
  ]);
  expect(range).toEqual(plain(({ created_at }) => created_at >= "2025-01-05" && created_at <= "2025-01-07"));
  expect(range.length).toBeGreaterThan(5);
});

test("pages follow each other in either order, equal times in the order they were made", () => {
  const { all } = things();
  for (let index = 0; index < 10; index += 1) all.insert(key(`n${index}`), { name: `n${index}`, created_at: "same" });

  const page = (number: number, sort: string) =>
    all.list({ where: [], sort, page: number, page_size: 4 }).data.map(({ name }) => name);
  expect([...page(1, "created_at"), ...page(2, "created_at"), ...page(3, "created_at")]).toEqual(
    Array.from({ length: 10 }, (_, index) => `n${index}`),
  );
  expect(page(1, "-created_at")).toEqual(["n9", "n8", "n7", "n6"]);
});

test("a field's name is never part of the statement", () => {
  const { all } = things();
  all.insert(key("a"), { name: "a", created_at: "1" });

  const injected = { field: ["name') = 'a' or ('1"], is: "equal" as const, values: ["x' or '1'='1"] };
  expect(() => all.list({ where: [injected], sort: "created_at", page: 1, page_size: 10 })).toThrow(RangeError);
  const value = { field: ["name"], is: "equal" as const, values: ["x' or '1'='1"] };
  expect(all.list({ where: [value], sort: "created_at", page: 1, page_size: 10 }).total).toBe(0);
  expect(() => all.list({ where: [], sort: "name; drop table entities", page: 1, page_size: 10 })).toThrow(RangeError);
});

test("a transaction that fails leaves nothing", () => {
  const { database, all } = things();

  expect(() =>
    transaction(database, () => {
      all.insert(key("a"), { name: "a", created_at: "1" });
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(all.all()).toEqual([]);
});
