import { expect, test } from "vitest";
import { HttpFault } from "./http-fault.ts";
import { type ListFields, listQuery } from "./list-query.ts";

const FIELDS: ListFields = {
  sort: ["created_at", "name"],
  filter: {
    status: { field: ["status"] },
    adapter: { field: ["peft", "lora"], as: "present" },
    created_at: { field: ["created_at"], as: "range" },
  },
  search: ["name", "created_at"],
};
const read = (query: string) => listQuery(`http://here/v1/things?${query}`, FIELDS);

test("without parameters it is the first page of a thousand, oldest first", () => {
  expect(read("")).toEqual({ page: 1, page_size: 1000, sort: "created_at", where: [] });
});

test("values of one field are alternatives, by comma or repeated", () => {
  expect(read("filter[status]=a,b&filter[status]=c").where).toEqual([
    { field: ["status"], is: "equal", values: ["a", "b", "c"] },
  ]);
});

test("ranges of times are read with or without a zone", () => {
  expect(read("filter[created_at][gte]=2025-01-01T02:00:00%2B02:00&search[created_at][end]=2025-02-01").where).toEqual([
    { field: ["created_at"], is: "from", values: ["2025-01-01T00:00:00.000"] },
    { field: ["created_at"], is: "to", values: ["2025-02-01T00:00:00.000"] },
  ]);
});

test("the answer can repeat what was asked for", () => {
  expect(read("filter[adapter]=true&search[name]=x,y&sort=-name")).toEqual({
    page: 1,
    page_size: 1000,
    sort: "-name",
    where: [
      { field: ["peft", "lora"], is: "present", values: [true] },
      { field: ["name"], is: "contains", values: ["x", "y"] },
    ],
    filter: { adapter: "true" },
    search: { name: ["x", "y"] },
  });
});

test("empty parameters are as good as none", () => {
  expect(read("page=&filter[status]=&sort=")).toEqual({ page: 1, page_size: 1000, sort: "created_at", where: [] });
});

test("each parameter that cannot be used is named", () => {
  const wrong: [query: string, place: string][] = [
    ["page=0", "page"],
    ["page=1.5", "page"],
    ["page_size=10001", "page_size"],
    ["page_size=99999999999999999999", "page_size"],
    ["sort=-size", "sort"],
    ["filter[colour]=red", "filter.colour"],
    ["filter[status][gte]=1", "filter.status[gte]"],
    ["filter[created_at]=x", "filter.created_at"],
    ["search[status]=x", "search.status"],
    ["filter[__proto__]=x", "filter.__proto__"],
  ];
  for (const [query, place] of wrong) {
    try {
      read(query);
      expect.unreachable(query);
    } catch (error) {
      const fault = error as HttpFault;
      expect(fault).toBeInstanceOf(HttpFault);
      expect(fault.status).toBe(422);
      expect(fault.detail).toMatchObject([{ loc: ["query", ...place.split(/\.(?=[a-z_])/)] }]);
    }
  }
});
