import { afterEach, expect, test, vi } from "vitest";
import { computingEnv } from "./start-child.ts";

afterEach(() => vi.unstubAllEnvs());

test("a process that computes gets large pages, unless the user has tuned the C library", () => {
  vi.stubEnv("GLIBC_TUNABLES", undefined);
  expect(computingEnv()).toEqual({ ...process.env, GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" });
  vi.stubEnv("GLIBC_TUNABLES", "glibc.malloc.check=1");
  expect(computingEnv().GLIBC_TUNABLES).toBe("glibc.malloc.check=1");
});
