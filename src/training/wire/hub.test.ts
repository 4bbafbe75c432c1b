import { expect, test } from "vitest";
import { hubUrl, parseHubUrl } from "./hub.ts";

test("addresses of repositories are read, with revision and path where they have them", () => {
  expect(parseHubUrl("hf://datasets/ns/d")).toEqual({ type: "dataset", id: "ns/d", path: "" });
  expect(parseHubUrl("hf://ns/m@cust-1")).toEqual({ type: "model", id: "ns/m", revision: "cust-1", path: "" });
  expect(parseHubUrl("hf://models/ns/m@a%2Fb/c/d.txt")).toEqual({
    type: "model",
    id: "ns/m",
    revision: "a/b",
    path: "c/d.txt",
  });
  expect(parseHubUrl("hf://datasets/ns/d/training/")).toMatchObject({ id: "ns/d", path: "training" });
});

test("what is no such address is none", () => {
  const others = [
    "",
    "hf://",
    "hf://datasets/ns",
    "hf://m",
    "https://x/ns/d",
    "hf://datasets/../d",
    "hf://api/d",
    "hf:/ns/d",
  ];
  expect(others.map(parseHubUrl)).toEqual(others.map(() => undefined));
});

test("an address that is written is read again", () => {
  for (const location of [
    { type: "dataset", id: "ns/d", path: "" },
    { type: "model", id: "ns/m", revision: "feature/x", path: "a/b" },
  ] as const) {
    expect(parseHubUrl(hubUrl(location))).toEqual(location);
  }
});
